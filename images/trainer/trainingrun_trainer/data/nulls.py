"""Columns with nulls somewhere in a dataset look alike in every batch of it, with nulls or without.

NumPy has no null: whole numbers become fractions with NaN, as in pandas. Were that done only where a batch happens to
have one, the type of a column would change from batch to batch. Which columns have nulls is said in their metadata.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa

_KEY = b"trainingrun.nulls"


def with_nulls(schema: pa.Schema, names: Collection[str]) -> pa.Schema:
    """The schema with a mark on the columns of whole numbers and booleans among `names`."""
    fields = [
        field.with_metadata({**(field.metadata or {}), _KEY: b"yes"})
        if field.name in names and (pa.types.is_integer(field.type) or pa.types.is_boolean(field.type))
        else field
        for field in schema
    ]
    return pa.schema(fields, metadata=schema.metadata)


def has_nulls(field: pa.Field) -> bool:
    """Whether a column bears the mark of `with_nulls`."""
    return _KEY in (field.metadata or {})


def as_numpy(field: pa.Field, column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[Any]]:
    """The values, of shape (rows,): of a marked column float64 with NaN, or objects with None for booleans."""
    values: np.ndarray[Any, np.dtype[Any]] = column.to_numpy()
    if not has_nulls(field):
        return values
    return values.astype(object if pa.types.is_boolean(field.type) else np.float64)
