"""A chunk of rows as one array per column: the form in which rows travel through a conversion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Column = np.ndarray[Any, np.dtype[Any]]
Columns = dict[str, Column]

# A string or a byte string, which NumPy holds as an object: only good enough to size buffers.
OBJECT_BYTES = 128


def count(columns: Columns) -> int:
    """Return the number of rows."""
    return len(next(iter(columns.values())))


def row_bytes(columns: Columns) -> int:
    """Return about how many bytes one row takes."""
    return sum(
        OBJECT_BYTES if column.dtype.hasobject else column.dtype.itemsize * int(np.prod(column.shape[1:]))
        for column in columns.values()
    )


def rows_within(size: int, columns: Columns, *, at_most: int) -> int:
    """Return how many rows fit into `size` bytes: 1..at_most."""
    return max(1, min(at_most, size // max(1, row_bytes(columns))))


def take(columns: Columns, rows: Any) -> Columns:
    """Return the rows of these indices, or of this slice."""
    return {name: column[rows] for name, column in columns.items()}


def concatenate(parts: Sequence[Columns]) -> Columns:
    """Return all parts as one; they have the same columns."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
