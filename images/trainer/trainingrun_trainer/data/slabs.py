"""Bundles and slabs: what a data worker reads in one go. Placeholder of the types, until the reader is here."""

from __future__ import annotations

from dataclasses import dataclass

from trainingrun_trainer.data.consumed import Piece


@dataclass(frozen=True)
class Bundle:
    """What one read task reads: one large piece, or several neighbouring tiny pieces whole."""

    index: int
    pieces: tuple[Piece, ...]

    @property
    def size_bytes(self) -> int:
        """As stored."""
        return sum(piece.size_bytes for piece in self.pieces)


@dataclass(frozen=True)
class SlabReport:
    """What a slab has: `rows` in all, `kept` those that are not consumed; whether the bundle `has_more` slabs."""

    rows: int
    kept: int
    size_bytes: int
    has_more: bool
    seconds: float
