"""Which rows of an epoch have been trained on: the account that makes each row count exactly once.

Every row has an id that travels with it. A rank marks the rows of its finished steps; a checkpoint holds the marks of
all ranks, and a resumed epoch reads only what is not marked. No I/O, no Ray.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

# A row is known by its piece and its place in the piece, packed into one int64 that travels with the row.
ROW_ID = "__trainingrun_row"
# In place of an id: this row was made of the same row as another one, which has the id and counts for both.
NO_ROW = -1
_ROW_BITS = 40
_NONE = np.zeros(0, dtype=bool)
# After how many rows of all ranks together they hand their marks over. A rank alone knows only its own share of a
# piece, which never becomes whole, and would hold a bitmap of all that it has seen.
HAND_OVER_ROWS = 4 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a dataset that is read in one go: a row group, a file, or a group of image files.

    `index` is its place in the dataset's sorted listing and never changes. `rows` is None where only reading tells.
    `stamp` changes when any of its files is written again, as far as the store tells.
    """

    index: int
    paths: tuple[str, ...]
    size_bytes: int
    rows: int | None = None
    row_group: int | None = None
    labels: tuple[int, ...] = ()
    stamp: str = ""


def bytes_of(pieces: Iterable[Piece]) -> int:
    """Bytes of these pieces as they are stored."""
    return sum(piece.size_bytes for piece in pieces)


def rows_of(pieces: Iterable[Piece]) -> int | None:
    """Rows of these pieces, used or not; None where only reading tells."""
    counts = [piece.rows for piece in pieces]
    return None if None in counts else sum(count or 0 for count in counts)


def row_ids(piece: Piece, first: int, count: int) -> np.ndarray:
    """The ids, int64 of shape (count,), of `count` rows from place `first` on."""
    return (piece.index << _ROW_BITS) + np.arange(first, first + count, dtype=np.int64)


def piece_of(ids: np.ndarray) -> np.ndarray:
    """The indices of the pieces that rows with these ids are in, int64 of the same shape."""
    return ids >> _ROW_BITS


class Consumed:
    """The rows of one epoch that optimizer steps have used.

    Of a piece it holds how many rows from the first one on are all used, and a bitmap only for the rows behind those:
    a finished piece costs a number, and only those that are being read cost more.
    """

    def __init__(self) -> None:
        self._starts: dict[int, int] = {}
        self._masks: dict[int, np.ndarray] = {}

    def add(self, ids: np.ndarray) -> None:
        """Mark rows by their ids, int64 of any length; NO_ROW marks none."""
        ids = np.sort(ids[ids != NO_ROW])
        pieces = ids >> _ROW_BITS
        cuts = np.flatnonzero(np.diff(pieces)) + 1
        places = np.split(ids & ((1 << _ROW_BITS) - 1), cuts)
        for piece, of_piece in zip(pieces[[0, *cuts]].tolist() if len(ids) else (), places, strict=False):
            self._mark(piece, of_piece)

    def merge(self, other: Consumed) -> None:
        """Mark every row that `other` has marked."""
        for piece, start in other._starts.items():
            old = self._starts.get(piece, 0)
            self._starts[piece] = max(old, start)
            self._keep(piece, self._masks.pop(piece, _NONE)[max(0, start - old) :])
            mask = other._masks.get(piece, _NONE)
            self._mark(piece, start + np.flatnonzero(mask))

    def of(self, pieces: Iterable[Piece]) -> Consumed:
        """The account of these pieces alone."""
        chosen = Consumed()
        for index in {piece.index for piece in pieces} & self._starts.keys():
            chosen._starts[index] = self._starts[index]
            if index in self._masks:
                chosen._masks[index] = self._masks[index].copy()
        return chosen

    def remaining(self, piece: Piece, first: int, count: int) -> np.ndarray:
        """Which of `count` rows from place `first` on are not used yet: bool of shape (count,)."""
        start, mask = self._starts.get(piece.index, 0), self._masks.get(piece.index, _NONE)
        wanted = np.ones(count, dtype=bool)
        wanted[: max(0, start - first)] = False
        behind = max(first, start)
        used = mask[behind - start : max(0, first + count - start)]
        wanted[behind - first : behind - first + len(used)] &= ~used
        return wanted

    def are_left(self, piece: Piece, ids: np.ndarray) -> np.ndarray:
        """Which rows of `piece` with these ids are not used yet: bool of the ids' shape."""
        places = ids & ((1 << _ROW_BITS) - 1)
        first = int(places.min())
        left: np.ndarray = self.remaining(piece, first, int(places.max()) + 1 - first)[places - first]
        return left

    def is_complete(self, piece: Piece) -> bool:
        """Whether every row of `piece` is used. A piece of unknown length never is."""
        return piece.rows is not None and self._count(piece.index) >= piece.rows > 0

    def rows(self) -> int:
        """How many rows are marked."""
        return sum(self._count(piece) for piece in self._starts)

    def to_bytes(self) -> bytes:
        """A compressed form: a number a piece, and one bit a row for those pieces of which rows are left between."""
        pieces = np.array(sorted(self._starts), dtype=np.int64)
        arrays = {
            # Differences, which compress to nearly nothing: neighbours are near, and rows a piece mostly the same.
            "pieces": np.diff(pieces, prepend=0),
            "starts": np.diff(np.array([self._starts[piece] for piece in pieces], dtype=np.int64), prepend=0),
            "open": np.array(list(self._masks), dtype=np.int64),
            "lengths": np.array([len(mask) for mask in self._masks.values()], dtype=np.int64),
            "bits": np.packbits(np.concatenate([_NONE, *self._masks.values()])),
        }
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Consumed:
        """The inverse of `to_bytes`; it also reads what was written before, one bitmap a piece."""
        consumed = cls()
        with np.load(io.BytesIO(data)) as arrays:
            if "pieces" not in arrays.files:
                return _of_bitmaps(arrays)
            pieces, starts = np.cumsum(arrays["pieces"]).tolist(), np.cumsum(arrays["starts"]).tolist()
            consumed._starts = dict(zip(pieces, starts, strict=True))
            lengths = arrays["lengths"]
            bits = np.unpackbits(arrays["bits"], count=int(lengths.sum())).astype(bool)
            parts = np.split(bits, np.cumsum(lengths)[:-1]) if len(lengths) else []
            # Copies: a view of all bits would keep them in memory for as long as one piece is open.
            consumed._masks = {piece: part.copy() for piece, part in zip(arrays["open"].tolist(), parts, strict=True)}
        return consumed

    def __getstate__(self) -> tuple[dict[int, int], dict[int, tuple[int, np.ndarray]]]:
        # One goes with every task that reads.
        return self._starts, {piece: (len(mask), np.packbits(mask)) for piece, mask in self._masks.items()}

    def __setstate__(self, state: tuple[dict[int, int], dict[int, tuple[int, np.ndarray]]]) -> None:
        self._starts, packed = state
        self._masks = {
            piece: np.unpackbits(bits, count=length).astype(bool) for piece, (length, bits) in packed.items()
        }

    def _count(self, piece: int) -> int:
        return self._starts.get(piece, 0) + int(np.count_nonzero(self._masks.get(piece, _NONE)))

    def _mark(self, piece: int, places: np.ndarray) -> None:
        start = self._starts.setdefault(piece, 0)
        behind = places[places >= start] - start
        if not len(behind):
            return
        mask, length = self._masks.get(piece, _NONE), int(behind.max()) + 1
        if len(mask) < length:
            # Twice as long, so that a piece that is used step by step is not copied at each of them.
            grown = np.zeros(max(length, 2 * len(mask)), dtype=bool)
            grown[: len(mask)] = mask
            mask = grown
        mask[behind] = True
        self._keep(piece, mask)

    def _keep(self, piece: int, mask: np.ndarray) -> None:
        """Count the rows that are used in one go from the start on, and keep the bitmap of those behind."""
        leading = len(mask) if mask.all() else int(mask.argmin())
        self._starts[piece] += leading
        if mask[leading:].any():
            # A copy: a view would keep the whole piece's bitmap in memory until its last row.
            self._masks[piece] = mask[leading:].copy() if leading else mask
        else:
            self._masks.pop(piece, None)


def _of_bitmaps(arrays: Any) -> Consumed:
    consumed = Consumed()
    for key in arrays.files:
        piece, _, length = key.partition(":")
        consumed._mark(int(piece), np.flatnonzero(np.unpackbits(arrays[key], count=int(length))))
    return consumed
