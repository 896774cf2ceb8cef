"""How well an epoch mixes sorted data: mean length of runs of one label, relative to a full permutation of all rows.

Ten classes, sorted. The order is worked out from the data path's own groups, slabs and permutations, without files:
it depends on nothing but sizes and the seed. In `raw` are also the correlation of a row's place in the epoch with its
place in the data, and the chi-square a degree of freedom of the lengths of runs, 1 where they are those of chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from bench.result import Measure, Result
from bench.workspace import Workspace
from trainingrun_trainer.data.consumed import Consumed, Piece
from trainingrun_trainer.data.mixing import bundles_of, gather, groups_of, mixing_of
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import Bundle, slab_limit

_CLASSES = 10
_LONGEST = 5
# Rows of a piece, pieces, and bytes of a row.
LAYOUTS = {
    "one_small": ("600,000 rows of 792 bytes, one row group", 600_000, 1, 792),
    "many_small": ("600,000 rows of 792 bytes, 100 files or row groups", 6_000, 100, 792),
    "one_large": ("60,000 rows of 100 kB, one row group", 60_000, 1, 100_000),
    "many_large": ("60,000 rows of 100 kB, 100 files or row groups", 600, 100, 100_000),
}
SETTINGS = {
    "off": ("shuffle: false", False, 0),
    "default": ("shuffle: true", True, 0),
    "buffer": ("shuffleBufferRows: 10000", True, 10_000),
}


def measure(rounds: int, workspace: Workspace) -> Result:
    """A round is an epoch."""
    measures, raw = [], {}
    for (layout, (of_layout, rows, pieces, size)), (setting, (of_setting, shuffle, together)) in itertools.product(
        LAYOUTS.items(), SETTINGS.items()
    ):
        found = [_quality(rows, pieces, size, Epoch(number, 5, shuffle), together) for number in range(rounds)]
        name = f"shuffle_{layout}_{setting}"
        measures.append(Measure(name, f"run length: {of_layout}, {of_setting}", "x", [ratio for ratio, _, _ in found]))
        raw[name] = {"correlation": [found[1] for found in found], "chi_square": [found[2] for found in found]}
    return Result("shuffle_quality", measures, raw)


def order_of(rows: int, pieces: int, row_bytes: int, epoch: Epoch, rows_together: int = 0) -> np.ndarray:
    """The numbers of all rows, of `pieces` pieces with `rows` rows each, in the order of an epoch with one rank."""
    bundles = bundles_of([Piece(i, (str(i),), rows * row_bytes, rows=rows) for i in range(pieces)])
    mixing = mixing_of(bundles, shuffle=epoch.shuffle, row_bytes=row_bytes, rows_together=rows_together)
    order: list[np.ndarray] = []
    for number, group in enumerate(groups_of(bundles, epoch, Consumed(), mixing)):
        slabs = itertools.zip_longest(*(_slabs(bundle, rows, row_bytes, mixing.slab_bytes) for bundle in group))
        for place, window in enumerate(slabs):
            tables = [pa.table({"row": part}) for part in window if part is not None]
            count = sum(table.num_rows for table in tables)
            order.append(gather(tables, (number, place), epoch, range(count))["row"].to_numpy())
    return np.concatenate(order)


def _slabs(bundle: Bundle, rows: int, row_bytes: int, slab_bytes: int) -> Iterator[np.ndarray]:
    first, last = bundle.index * rows, (bundle.index + len(bundle.pieces)) * rows
    for slab in itertools.count():
        if first >= last:
            return
        end = min(last, first - (-slab_limit(bundle, slab, slab_bytes) // row_bytes))
        yield np.arange(first, end)
        first = end


def _quality(rows: int, pieces: int, row_bytes: int, epoch: Epoch, together: int) -> tuple[float, float, float]:
    order = order_of(rows, pieces, row_bytes, epoch, together)
    total = len(order)
    lengths = _runs(order * _CLASSES // total)
    full = _runs(np.random.default_rng(epoch.number).permutation(total) * _CLASSES // total)
    correlation = float(np.corrcoef(order, np.arange(total))[0, 1])
    return float(lengths.mean() / full.mean()), correlation, _chi_square(lengths)


def _runs(labels: np.ndarray) -> np.ndarray:
    """The lengths of all runs of one label."""
    ends = np.flatnonzero(np.diff(labels, append=-1)) + 1
    return np.diff(ends, prepend=0)


def _chi_square(lengths: np.ndarray) -> float:
    """Of runs of 1, 2, … and `_LONGEST` or more rows, a degree of freedom, against independent draws of the classes."""
    again = 1 / _CLASSES
    shares = [(1 - again) * again**length for length in range(_LONGEST - 1)] + [again ** (_LONGEST - 1)]
    expected = np.array(shares) * len(lengths)
    seen = np.bincount(np.minimum(lengths, _LONGEST), minlength=_LONGEST + 1)[1:]
    return float(((seen - expected) ** 2 / expected).sum() / (_LONGEST - 1))
