"""Which rows of an epoch are mixed with which, and which rank gets them: pure functions of the data and the seed.

Bundles are read side by side in groups; the k-th slabs of a group are a window, whose rows are permuted as one and
dealt to the ranks. No I/O, no Ray.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from trainingrun_trainer.data.consumed import Consumed, Piece
from trainingrun_trainer.data.reading import Epoch, Inspection
from trainingrun_trainer.data.slabs import Bundle


@dataclass(frozen=True, slots=True)
class Mixing:
    """How far rows are mixed: `bundles` that a group has at most, and the decoded bytes of a slab of each."""

    bundles: int
    slab_bytes: int


def row_bytes_of(inspection: Inspection) -> int:
    """Bytes of a row in memory, as the first rows show it."""
    raise NotImplementedError


def bundles_of(pieces: Sequence[Piece]) -> list[Bundle]:
    """The dataset's bundles: tiny neighbours together, so that no task is smaller than its overhead."""
    raise NotImplementedError


def mixing_of(bundles: Sequence[Bundle], *, shuffle: bool, row_bytes: int, rows_together: int = 0) -> Mixing:
    """Groups and slabs of which a window has 64 MiB, or `rows_together` rows of `row_bytes` bytes if that is more."""
    raise NotImplementedError


def groups_of(bundles: Sequence[Bundle], epoch: Epoch, consumed: Consumed, mixing: Mixing) -> list[tuple[Bundle, ...]]:
    """The epoch's groups in order, without bundles of which every row is consumed."""
    raise NotImplementedError


def share_of(window: tuple[int, int], rows: int, rank: int, world_size: int) -> range:
    """The places that `rank` gets of the `rows` rows of window (group, slab), once they are permuted.

    Shares differ by one row at most, and not always in favour of the same ranks.
    """
    raise NotImplementedError


def gather(slabs: Sequence[pa.Table], window: tuple[int, int], epoch: Epoch, positions: range) -> pa.Table:
    """The rows at `positions` of a window's permutation; `slabs` are all of the window's, in its group's order."""
    raise NotImplementedError
