"""Passes over data that exists only by its numbers of rows."""

from __future__ import annotations

from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import Bundle
from trainingrun_trainer.pool.tasks import PassPlan

Row = tuple[int, int]  # (bundle, place)
ROW_BYTES = 1000


def plan_of(
    rows: list[int], *, side_by_side: int = 1, slab_rows: int = 100, world_size: int = 1, **flags: bool
) -> PassPlan:
    """Bundles of so many rows in groups of `side_by_side`; a slab has `slab_rows` rows."""
    bundles = [Bundle(i, (Piece(i, (f"file-{i}",), count * ROW_BYTES, count),)) for i, count in enumerate(rows)]
    groups = tuple(tuple(bundles[i : i + side_by_side]) for i in range(0, len(bundles), side_by_side))
    return PassPlan(Epoch(0, 0, shuffle=True), groups, slab_rows * ROW_BYTES, world_size, **flags)
