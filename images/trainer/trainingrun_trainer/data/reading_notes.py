"""What a checkpoint keeps of how rows were read, so that a model can be given rows as its training was.

Types of columns, shapes of arrays and the classes of pictures in folders, as plain JSON values.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.layout import ArrayLayout
from trainingrun_trainer.data.listing import Listing


@dataclass(frozen=True)
class ReadingNotes:
    """`schema` has the types that columns were read with, None where the format has none of its own.

    `layouts` are the shapes of arrays, also of decoded pictures; `classes` those of an image folder, by label.
    """

    schema: pa.Schema | None = None
    layouts: dict[str, ArrayLayout] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None

    @classmethod
    def of(cls, listing: Listing) -> ReadingNotes:
        """The notes on a dataset that was found."""
        return cls(listing.source.schema, listing.inspection.layouts, listing.source.classes)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the schema is Arrow's own message in base64, since its types have no other complete form."""
        schema = self.schema.serialize().to_pybytes() if self.schema is not None else None
        return {
            "schema": base64.b64encode(schema).decode() if schema is not None else None,
            "layouts": {name: [list(one.shape), one.dtype.name] for name, one in self.layouts.items()},
            "classes": list(self.classes) if self.classes is not None else None,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ReadingNotes:
        """The inverse of `to_json`."""
        schema, classes = values["schema"], values["classes"]
        return cls(
            pa.ipc.read_schema(pa.py_buffer(base64.b64decode(schema))) if schema is not None else None,
            {name: ArrayLayout(tuple(shape), np.dtype(dtype)) for name, (shape, dtype) in values["layouts"].items()},
            tuple(classes) if classes is not None else None,
        )
