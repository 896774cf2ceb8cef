"""Which rows of an epoch have been trained on: the account that makes each row count exactly once.

Every row has an id that travels with it. A rank marks the rows of its finished steps; a checkpoint holds the marks of
all ranks, and a resumed epoch reads only what is not marked. No I/O, no Ray.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np

# A row is known by its piece and its place in the piece, packed into one int64 that travels with the row.
ROW_ID = "__trainingrun_row"
_ROW_BITS = 40


@dataclass(frozen=True)
class Piece:
    """A part of a dataset that is read in one go: a row group, a file, or a group of image files.

    `index` is its place in the dataset's sorted listing and never changes. `rows` is None where only reading tells.
    """

    index: int
    paths: tuple[str, ...]
    size_bytes: int
    rows: int | None = None
    row_group: int | None = None
    labels: tuple[int, ...] = ()


def row_ids(piece: Piece, first: int, count: int) -> np.ndarray:
    """The ids, int64 of shape (count,), of `count` rows from place `first` on."""
    return (piece.index << _ROW_BITS) + np.arange(first, first + count, dtype=np.int64)


@dataclass
class Consumed:
    """The rows of one epoch that optimizer steps have used: a growing bitmap per piece."""

    masks: dict[int, np.ndarray] = field(default_factory=dict)

    def add(self, ids: np.ndarray) -> None:
        """Mark rows by their ids, int64 of any length."""
        pieces = ids >> _ROW_BITS
        places = ids & ((1 << _ROW_BITS) - 1)
        for piece in np.unique(pieces):
            chosen = places[pieces == piece]
            self._grow(int(piece), int(chosen.max()) + 1)[chosen] = True

    def merge(self, other: Consumed) -> None:
        """Mark every row that `other` has marked."""
        for piece, mask in other.masks.items():
            self._grow(piece, len(mask))[: len(mask)] |= mask

    def remaining(self, piece: Piece, first: int, count: int) -> np.ndarray:
        """Which of `count` rows from place `first` on are not used yet: bool of shape (count,)."""
        mask = self.masks.get(piece.index)
        wanted = np.ones(count, dtype=bool)
        if mask is not None and first < len(mask):
            used = mask[first : first + count]
            wanted[: len(used)] = ~used
        return wanted

    def is_complete(self, piece: Piece) -> bool:
        """Whether every row of `piece` is used. A piece of unknown length never is."""
        mask = self.masks.get(piece.index)
        return piece.rows is not None and mask is not None and int(mask.sum()) >= piece.rows

    def rows(self) -> int:
        """How many rows are marked."""
        return sum(int(mask.sum()) for mask in self.masks.values())

    def to_bytes(self) -> bytes:
        """A compressed form: one bit a row."""
        buffer = io.BytesIO()
        arrays: dict[str, np.ndarray] = {}
        for piece, mask in self.masks.items():
            arrays[f"{piece}:{len(mask)}"] = np.packbits(mask)
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Consumed:
        """The inverse of `to_bytes`."""
        consumed = cls()
        with np.load(io.BytesIO(data)) as arrays:
            for key in arrays.files:
                piece, _, length = key.partition(":")
                consumed.masks[int(piece)] = np.unpackbits(arrays[key], count=int(length)).astype(bool)
        return consumed

    def _grow(self, piece: int, length: int) -> np.ndarray:
        mask = self.masks.get(piece)
        if mask is None or len(mask) < length:
            grown = np.zeros(max(length, 2 * len(mask) if mask is not None else length), dtype=bool)
            if mask is not None:
                grown[: len(mask)] = mask
            self.masks[piece] = mask = grown
        return mask
