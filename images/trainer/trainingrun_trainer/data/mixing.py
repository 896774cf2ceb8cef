"""Placeholder of the shares of a window, until the mixing of rows is here."""

from __future__ import annotations


def share_of(window: tuple[int, int], rows: int, rank: int, world_size: int) -> range:
    """Positions of the window's permuted rows that are `rank`'s; sizes differ by at most one."""
    place = (rank + window[0] + window[1]) % world_size
    each, rest = divmod(rows, world_size)
    first = place * each + min(place, rest)
    return range(first, first + each + (place < rest))
