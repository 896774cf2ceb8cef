"""How near the pool comes to what its workers could do, in virtual time: they never wait for one another."""

from __future__ import annotations

import pytest
from pool_plans import plan_of
from simulated_pool import SimulatedPool

from trainingrun_trainer.pool.tasks import PassKey

_LAYOUTS = {
    "one bundle": plan_of([16_000], slab_rows=400, world_size=2),
    "one bundle of large windows": plan_of([16_000], slab_rows=4000, world_size=2),
    "a hundred bundles": plan_of([160] * 100, side_by_side=25, slab_rows=16, world_size=2),
    "a hundred bundles in order": plan_of([160] * 100, slab_rows=400, world_size=2),
    "bundles of all sizes": plan_of([10, 3000, 300, 5000, 40, 7650], side_by_side=3, slab_rows=200, world_size=2),
}


@pytest.mark.parametrize("workers", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("layout", _LAYOUTS)
def test_workers_are_kept_busy(layout: str, workers: int) -> None:
    plan = _LAYOUTS[layout]
    pool = SimulatedPool(workers=workers, row_seconds=0.005, read_seconds=0.003)
    ranks = pool.begin(PassKey(0, "train", 0), plan)
    pool.run()
    rows = sum(bundle.rows or 0 for group in plan.groups for bundle in group)
    due = (rows * pool.row_seconds + pool.reads * pool.read_seconds) / workers
    print(f"{layout}: {workers} workers {due / pool.now:.3f}, {len(pool.units)} units, first {ranks[1].times[0]:.2f} s")
    assert due / pool.now >= 0.95
    assert max(rank.times[0] for rank in ranks) < 0.25
