"""The order in which an epoch reads its data.

Pure functions of (seed, epoch): the same run, resumed anywhere, reads what an uninterrupted one would have read.
No I/O, no Ray.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from trainingrun_trainer.data.consumed import Consumed, Piece


def epoch_order(pieces: Sequence[Piece], *, shuffle: bool, seed: int, epoch: int, consumed: Consumed) -> list[Piece]:
    """The pieces that epoch still has to read, in its order."""
    order: Iterable[int] = range(len(pieces))
    if shuffle:
        order = np.random.default_rng((seed, epoch)).permutation(len(pieces))
    return [pieces[i] for i in order if not consumed.is_complete(pieces[i])]


def row_order(piece: Piece, first: int, count: int, *, seed: int, epoch: int) -> np.ndarray:
    """A permutation, int64 of shape (count,), of the rows read together from place `first` on."""
    return np.random.default_rng((seed, epoch, piece.index, first)).permutation(count)


def group(pieces: Sequence[Piece], tasks: int) -> list[list[Piece]]:
    """Cut an epoch's pieces into at most `tasks` runs of neighbours with about equal bytes; none is empty."""
    total = sum(max(piece.size_bytes, 1) for piece in pieces)
    groups: dict[int, list[Piece]] = {}
    seen = 0
    for piece in pieces:
        groups.setdefault(seen * tasks // total, []).append(piece)
        seen += max(piece.size_bytes, 1)
    return list(groups.values())
