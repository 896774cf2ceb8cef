"""How many rows one call of a transform gets where the run does not say.

Few enough that what goes in and what comes out stays small, whatever a row turns into.

Pure functions: paths of a hundred bytes may become pictures of a megabyte, and only the results tell.
"""

from __future__ import annotations

# What a call takes and what it makes, in bytes: about a block.
CALL_BYTES = 16 << 20
_FIRST_BYTES = 2 << 20
_FIRST_ROWS = 32
# A call may have been of rows that are small by chance.
_MOST_GROWTH = 4


def first_rows(rows: int, size_bytes: int) -> int:
    """Rows of the first call on a block of `rows` rows and `size_bytes` bytes: 1 or more."""
    fitting = _FIRST_BYTES * rows // max(1, size_bytes)
    return max(1, min(_FIRST_ROWS, fitting))


def next_rows(rows: int, given_bytes: int, made_bytes: int) -> int:
    """Rows of the next call, after one of `rows` rows that took and made so many bytes: 1 or more."""
    fitting = CALL_BYTES * rows // max(1, given_bytes, made_bytes)
    return max(1, min(_MOST_GROWTH * rows, fitting))
