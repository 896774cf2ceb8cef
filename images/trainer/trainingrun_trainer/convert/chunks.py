"""A chunk of rows as an Arrow table: the form in which rows travel through a conversion, with their types.

Array columns are fixed-size binary with their shape in the field's metadata, as `data.layout` writes them.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa


def rows_within(size: int, table: pa.Table, *, at_most: int) -> int:
    """Return how many rows like these fit into `size` bytes: 1..at_most."""
    fitting: int = size * table.num_rows // max(1, table.nbytes)
    return max(1, min(at_most, fitting))


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """Return all tables, which have one schema, as one in a single piece of memory."""
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()
