"""Finds a dataset and looks at its first rows: all that is known of data before anything is started.

Needs neither Ray nor torch, so that whatever reads datasets gets the same rows, types and refusals.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from trainingrun_trainer.data.consumed import Piece, bytes_of, rows_of
from trainingrun_trainer.data.formats import format_of
from trainingrun_trainer.data.reading import Inspection, inspect
from trainingrun_trainer.data.schemas import refuse_missing, typed_like
from trainingrun_trainer.data.source import Source


@dataclass(frozen=True)
class Listing:
    """A dataset that was found: its pieces, what its first rows look like, and sentences that a user should read.

    `source` is the one to read with: it has the types of all columns, and the classes of an image folder.
    """

    source: Source
    pieces: list[Piece]
    inspection: Inspection
    notices: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes of the dataset as it is stored."""
        return bytes_of(self.pieces)

    @property
    def rows(self) -> int | None:
        """Rows of the dataset, or None where only reading tells."""
        return rows_of(self.pieces)


def list_dataset(source: Source, *, like: Source | None = None) -> Listing:
    """Find a dataset and read its first rows.

    With `like`, the found source of the training data, columns get the types that they have there where these hold
    every value, and pictures in folders its classes. Raises InvalidConfiguration, also for columns that are required
    and missing, null, or of a type that no tensor has.
    """
    if like is not None and like.format == source.format:
        source = dataclasses.replace(source, classes=like.classes)
    found = format_of(source).find(source)
    found_source = found.source
    if like is not None and like.schema is not None and found_source.schema is not None:
        found_source = dataclasses.replace(found_source, schema=typed_like(found_source.schema, like.schema))
    inspection = inspect(found_source, found.pieces)
    refuse_missing(found_source, inspection.sample.column_names)
    return Listing(found_source, found.pieces, inspection, found.notices)
