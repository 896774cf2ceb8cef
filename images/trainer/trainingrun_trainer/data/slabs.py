"""What a read task does: the k-th portion of a bundle of pieces, without the rows that were used, each with its id.

A slab is the same rows whoever reads it and whatever is consumed, so that every part of an epoch can be made again
anywhere. Knows nothing of Ray, groups or windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from trainingrun_trainer.data.consumed import Consumed, Piece
from trainingrun_trainer.data.layout import ArrayLayout
from trainingrun_trainer.data.source import Source


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is read one slab after the other: one piece, or neighbours that are tiny. `index` is its first piece's."""

    index: int
    pieces: tuple[Piece, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes as they are stored."""
        return sum(piece.size_bytes for piece in self.pieces)

    @property
    def rows(self) -> int | None:
        """Rows, used or not; None where only reading tells."""
        counts = [piece.rows for piece in self.pieces]
        return None if None in counts else sum(count or 0 for count in counts)


@dataclass(frozen=True, slots=True)
class SlabReport:
    """What reading a slab showed. `rows` are those stored in it, `kept` those that are not consumed.

    `size_bytes` are the kept rows' in memory; `has_more` tells whether the bundle has a slab behind this one.
    """

    rows: int
    kept: int
    size_bytes: int
    has_more: bool
    seconds: float


class SlabReader:
    """Reads one dataset's slabs, and keeps up to `most_open` bundles open where their next slab begins.

    The next slab of an open bundle costs nothing but its own rows; any other one is opened and skipped to.
    """

    def __init__(self, source: Source, layouts: dict[str, ArrayLayout], *, most_open: int = 64):
        self._source = source
        self._layouts = layouts
        self._most_open = most_open

    def read(self, bundle: Bundle, slab: int, slab_bytes: int, consumed: Consumed) -> tuple[SlabReport, pa.Table]:
        """The rows of slab number `slab` that are not consumed, as they are stored, with their ids in `ROW_ID`.

        Array columns come as fixed-size binary, whatever the files hold. Raises DataError naming the file.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close all bundles."""
        raise NotImplementedError
