"""Which rows of an epoch are mixed with which, and which rank gets them: pure functions of the data and the seed.

Bundles are read side by side in groups; the k-th slabs of a group are a window, whose rows are permuted as one and
dealt to the ranks. No I/O, no Ray.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.consumed import Consumed, Piece
from trainingrun_trainer.data.reading import Epoch, Inspection
from trainingrun_trainer.data.slabs import Bundle
from trainingrun_trainer.data.table_notes import left_of, without_notes

# Pieces smaller than this cost more to ask for than to read.
_BUNDLE_BYTES = 4 << 20
# Bundles of a group: of many, each has a small part in a window, so that a sorted dataset is mixed from end to end.
_GROUP = 32
_WINDOW_BYTES = 64 << 20
# Without shuffling a window is one slab, and nothing is gained by a large one.
_STORED_ORDER_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Mixing:
    """How far rows are mixed: `bundles` that a group has at most, and the decoded bytes of a slab of each."""

    bundles: int
    slab_bytes: int


def row_bytes_of(inspection: Inspection) -> int:
    """Bytes of a row in memory, as the first rows show it: 1 or more."""
    rows, size = int(inspection.sample.num_rows), int(inspection.sample.nbytes)
    return max(1, size // max(1, rows))


def bundles_of(pieces: Sequence[Piece]) -> list[Bundle]:
    """The dataset's bundles: tiny neighbours together, so that no task is smaller than its overhead."""
    bundles: list[Bundle] = []
    gathered: list[Piece] = []
    size = 0
    for piece in pieces:
        if gathered and size + piece.size_bytes > _BUNDLE_BYTES:
            bundles.append(Bundle(gathered[0].index, tuple(gathered)))
            gathered, size = [], 0
        gathered.append(piece)
        size += piece.size_bytes
    if gathered:
        bundles.append(Bundle(gathered[0].index, tuple(gathered)))
    return bundles


def mixing_of(bundles: Sequence[Bundle], *, shuffle: bool, row_bytes: int, rows_together: int = 0) -> Mixing:
    """Groups and slabs of which a window has 64 MiB, or `rows_together` rows of `row_bytes` bytes if that is more."""
    if not shuffle:
        return Mixing(1, _STORED_ORDER_BYTES)
    window = max(_WINDOW_BYTES, rows_together * row_bytes)
    stored = sum(bundle.size_bytes for bundle in bundles)
    known = sum((bundle.rows or 0) * row_bytes for bundle in bundles)
    bundle_bytes = max(1, (known or stored) // max(1, len(bundles)))
    # More than usual where a group of the usual size has fewer rows than are asked for.
    most = min(max(1, len(bundles)), max(_GROUP, -(-rows_together * row_bytes // bundle_bytes)))
    return Mixing(most, -(-window // _even(len(bundles), most)))


def groups_of(bundles: Sequence[Bundle], epoch: Epoch, consumed: Consumed, mixing: Mixing) -> list[tuple[Bundle, ...]]:
    """The epoch's groups in order; one of which every row is consumed is empty.

    With shuffling a group has bundles from everywhere in the dataset: of each run of neighbours, as many as there are
    groups, every group gets one by lot. Any other group has all of its bundles, also those of which every row is
    consumed: without their rows, the others' would have other places.
    """
    count = max(1, -(-len(bundles) // mixing.bundles))
    runs = np.arange(-(-len(bundles) // count) * count).reshape(-1, count)
    if epoch.shuffle:
        runs = np.random.default_rng((epoch.seed, epoch.number)).permuted(runs, axis=1)
    is_left = [not all(map(consumed.is_complete, bundle.pieces)) for bundle in bundles]
    groups: list[tuple[Bundle, ...]] = []
    for places in (group[group < len(bundles)].tolist() for group in runs.T):
        has_left = any(is_left[place] for place in places)
        groups.append(tuple(bundles[place] for place in places) if has_left else ())
    return groups


def share_of(window: tuple[int, int], rows: int, rank: int, world_size: int) -> range:
    """The places that `rank` gets of the `rows` rows of window (group, slab), once they are permuted.

    Shares differ by one row at most, and not always in favour of the same ranks.
    """
    each, more = divmod(rows, world_size)
    # The ranks' shares lie in the order of `turn`, of whom the first `more` have a row more.
    turn = (rank + sum(window)) % world_size
    first = turn * each + min(turn, more)
    return range(first, first + each + (turn < more))


def gather(slabs: Sequence[pa.Table], window: tuple[int, int], epoch: Epoch, positions: range) -> pa.Table:
    """The rows at `positions` of a window's permutation; `slabs` are all of the window's, in its group's order.

    In one chunk, or without shuffling in the stored order and without a copy; without notes. Positions are those of
    the whole window: of its slabs' rows that are not left there are none, and the others come as if all were there.
    """
    rows = without_notes(pa.concat_tables(slab for slab in slabs if slab.num_rows))
    left = _left(slabs)
    if not epoch.shuffle:
        first, last = positions.start, positions.stop
        if left is not None:
            first, last = int(np.count_nonzero(left[:first])), int(np.count_nonzero(left[:last]))
        return rows.slice(first, last - first)
    order = _permutation((epoch.seed, epoch.number, *window), rows.num_rows if left is None else len(left))
    places = order[positions.start : positions.stop]
    if left is not None:
        places = (np.cumsum(left) - 1)[places[left[places]]]
    return _taken(rows, places) if len(places) else rows.slice(0, 0)


def _left(slabs: Sequence[pa.Table]) -> np.ndarray | None:
    """Which of a window's rows its slabs have, bool of (the window's rows,); None for all of them."""
    noted = [left_of(slab) for slab in slabs]
    if all(left is None for left in noted):
        return None
    return np.concatenate(
        [np.ones(slab.num_rows, bool) if left is None else left for slab, left in zip(slabs, noted, strict=True)]
    )


@functools.lru_cache(maxsize=2)
def _permutation(seed: tuple[int, ...], rows: int) -> np.ndarray:
    """Kept for the next unit of the same window, since all of it costs as much as a part."""
    return np.random.default_rng(seed).permutation(rows)


def _taken(rows: pa.Table, places: np.ndarray) -> pa.Table:
    """The rows at `places`, in one chunk.

    Arrow's take over several chunks copies all of them first: each chunk gives its rows, which are then put in order.
    """
    chunks = rows.to_batches()
    ends = np.cumsum([chunk.num_rows for chunk in chunks])
    by_chunk = np.argsort(places)
    ordered = places[by_chunk]
    cuts = np.searchsorted(ordered, [0, *ends])
    parts = [
        chunk.take(pa.array(ordered[first:last] - (end - chunk.num_rows)))
        for chunk, end, first, last in zip(chunks, ends, cuts[:-1], cuts[1:], strict=True)
        if last > first
    ]
    back = np.empty(len(places), np.int64)
    back[by_chunk] = np.arange(len(places))
    return pa.Table.from_batches(parts).combine_chunks().take(pa.array(back))


def _even(count: int, most: int) -> int:
    """How many of `count` the largest group has, if groups of up to `most` are alike."""
    groups = max(1, -(-count // most))
    return max(1, -(-count // groups))
