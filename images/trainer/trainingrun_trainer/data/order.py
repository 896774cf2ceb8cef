"""The order in which an epoch reads its data.

Pure functions of (seed, epoch): the same run, resumed anywhere, reads what an uninterrupted one would have read.
No I/O, no Ray.
"""

from __future__ import annotations

import itertools
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
    """Cut an epoch's pieces into `tasks` runs of neighbours, or as many as there are pieces; none is empty.

    The largest run is as small as runs of neighbours allow: the epoch's order stays, and no task is the last one to
    end for having got twice the others' share.
    """
    tasks = min(tasks, len(pieces))
    if not tasks:
        return []
    sizes = [max(piece.size_bytes, 1) for piece in pieces]
    ends = np.cumsum(sizes)
    low = -(-int(ends[-1]) // tasks)
    high = low + max(sizes)  # which is always enough
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _cuts(ends, tasks, middle)[-1] == len(pieces) else (middle + 1, high)
    cuts = _cuts(ends, tasks, low)
    return [list(pieces[first:last]) for first, last in itertools.pairwise([0, *cuts])]


def _cuts(ends: np.ndarray, tasks: int, limit: int) -> list[int]:
    """Where runs end that hold at most `limit` bytes each, and leave a piece for each run that follows."""
    cuts: list[int] = []
    first = 0
    for following in range(tasks - 1, -1, -1):
        seen = int(ends[first - 1]) if first else 0
        first = min(int(np.searchsorted(ends, seen + limit, side="right")), len(ends) - following)
        cuts.append(first)
    return cuts
