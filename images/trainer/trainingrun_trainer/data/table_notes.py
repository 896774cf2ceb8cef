"""What travels with a table beside its rows: which rows are not in it, and why.

In the metadata of its schema, which Arrow carries through tasks, stores and files. A slice carries it, too, and would
tell it again: `without_notes` is for that. Pure.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

Ids: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

_VANISHED = b"trainingrun.vanished"
_BAD = b"trainingrun.bad"
_LEFT = b"trainingrun.left"
_OURS = {_VANISHED, _BAD, _LEFT}


def with_vanished(table: pa.Table, ids: Ids) -> pa.Table:
    """The table with these ids, int64 of any length, among those that `vanished_of` tells."""
    return _with_ids(table, _VANISHED, ids)


def vanished_of(table: pa.Table) -> Ids:
    """The ids of the rows that went into this table and of which transforms made nothing, int64 of any length."""
    return _ids(table, _VANISHED)


def with_bad(table: pa.Table, ids: Ids) -> pa.Table:
    """The table with these ids, int64 of any length, among those that `bad_of` tells."""
    return _with_ids(table, _BAD, ids)


def bad_of(table: pa.Table) -> Ids:
    """The ids of the rows that were left out of this table since they could not be had, int64 of any length."""
    return _ids(table, _BAD)


def with_left(table: pa.Table, left: np.ndarray) -> pa.Table:
    """The table as what is left of a slab: `left` says which of the slab's rows these are, bool of (the slab's rows,).

    Of a slab that is there whole nothing is noted.
    """
    if left.all():
        return table
    return _with(table, _LEFT, len(left).to_bytes(8, "little") + np.packbits(left).tobytes())


def left_of(table: pa.Table) -> np.ndarray | None:
    """Which rows of its slab a table has, bool of (the slab's rows,); None for all of them."""
    noted = (table.schema.metadata or {}).get(_LEFT)
    if noted is None:
        return None
    return np.unpackbits(np.frombuffer(noted, np.uint8, offset=8), count=int.from_bytes(noted[:8], "little")) > 0


def without_notes(table: pa.Table) -> pa.Table:
    """The table alone."""
    metadata = {key: value for key, value in (table.schema.metadata or {}).items() if key not in _OURS}
    return table.replace_schema_metadata(metadata or None)


def _with_ids(table: pa.Table, name: bytes, ids: Ids) -> pa.Table:
    if not len(ids):
        return table
    return _with(table, name, np.concatenate([_ids(table, name), ids.astype(np.int64)]).tobytes())


def _ids(table: pa.Table, name: bytes) -> Ids:
    return np.frombuffer((table.schema.metadata or {}).get(name, b""), np.int64)


def _with(table: pa.Table, name: bytes, value: bytes) -> pa.Table:
    return table.replace_schema_metadata({**(table.schema.metadata or {}), name: value})
