"""What the pool may hold follows the data nodes that are in use, and nothing keeps those that are let go of."""

from __future__ import annotations

import pytest
from pool_plans import ROW_BYTES, plan_of
from simulated_pool import SimulatedPool

from trainingrun_trainer.pool.budget import Budget
from trainingrun_trainer.pool.tasks import PassKey

_PLAN = plan_of([400] * 20, side_by_side=5, slab_rows=20, world_size=2)
_CHECKED = plan_of([100] * 3, world_size=2, is_kept=True)
_TRAIN = PassKey(0, "train", 0)
_STORE = 2000 * ROW_BYTES


def _validation(number: int) -> PassKey:
    return PassKey(0, "validation", number)


def _stores(nodes: int) -> dict[str, int]:
    return {f"node-{number}": _STORE for number in range(nodes)}


def _held(pool: SimulatedPool) -> int:
    return pool.schedule.figures(pool.now).bytes_held


def test_the_budget_is_half_of_the_object_stores_of_the_nodes_in_use() -> None:
    budget = Budget(0, has_kept=False)
    for nodes in (1, 3, 2, 0):
        assert not budget.fit(_stores(nodes), [])
        assert budget.total_bytes == nodes * _STORE // 2


def test_a_node_is_let_go_of_once() -> None:
    budget = Budget(0, has_kept=True)
    assert budget.fit(_stores(1), ["node-1"])
    assert not budget.fit(_stores(1), ["node-1"])
    assert budget.fit(_stores(1), ["node-1", "node-2"])
    assert not budget.fit(_stores(1), ["node-2"])
    assert not budget.fit(_stores(2), [])
    assert budget.fit(_stores(1), ["node-1"])


def test_more_is_made_ahead_as_nodes_come_and_less_as_they_go() -> None:
    pool = SimulatedPool(workers=4, budget_bytes=0)
    ranks = pool.begin(_TRAIN, _PLAN, seconds_per_row=1.0)
    held = {}
    for nodes in (1, 3, 1):
        pool.schedule.fit(_stores(nodes), [])
        began = pool.now
        # After the last change, until what is held above the budget has been trained on.
        pool.run(lambda began=began, nodes=nodes: pool.now > began + (10 if nodes > len(held) else 2000))
        held[len(held), nodes] = _held(pool) / _STORE
    assert held == {
        (0, 1): pytest.approx(0.5, abs=0.2),
        (1, 3): pytest.approx(1.5, abs=0.2),
        (2, 1): pytest.approx(0.5, abs=0.2),
    }
    assert all(rank.ended is None for rank in ranks)


@pytest.mark.parametrize("stores", [{}, {"node-0": 40 * ROW_BYTES}])
def test_what_is_held_above_a_lowered_budget_is_used_up_and_keeps_nobody_waiting(stores: dict[str, int]) -> None:
    pool = SimulatedPool(workers=4, budget_bytes=2000 * ROW_BYTES)
    ranks = pool.begin(_TRAIN, _PLAN, seconds_per_row=0.01)
    pool.run(lambda: _held(pool) > 1500 * ROW_BYTES)
    pool.schedule.fit(stores, [])
    pool.run(lambda: all(len(rank.rows) > 3000 for rank in ranks))
    assert _held(pool) < 1000 * ROW_BYTES
    pool.run()
    other = SimulatedPool(workers=1)
    expected = other.begin(_TRAIN, _PLAN)
    other.run()
    assert [rank.rows for rank in ranks] == [rank.rows for rank in expected]
    assert sum(len(rank.rows) for rank in ranks) == 8000


def test_nothing_is_kept_on_nodes_that_are_let_go_of() -> None:
    pool = SimulatedPool(workers=3, has_kept=True, budget_bytes=_STORE)
    first = pool.begin(_validation(0), _CHECKED)
    pool.run()
    pool.schedule.prepare_ahead(_TRAIN, _CHECKED)
    pool.run(lambda: _held(pool) == 600 * ROW_BYTES)
    pool.schedule.fit(_stores(2), ["node-2"])
    pool.run(lambda: True)
    assert _held(pool) == 0
    assert not pool.store
    for number in (1, 2):
        again = pool.begin(_validation(number), _CHECKED)
        pool.run()
        assert [rank.rows for rank in again] == [rank.rows for rank in first]
        # It is kept anew, though the node is still there.
        pool.schedule.fit(_stores(2), ["node-2"])
        assert _held(pool) == 300 * ROW_BYTES


def test_what_does_not_fit_into_a_quarter_of_a_lowered_budget_is_not_kept() -> None:
    pool = SimulatedPool(workers=3, has_kept=True, budget_bytes=_STORE)
    pool.begin(_validation(0), _CHECKED)
    pool.run()
    for store_bytes, held in ((8 * 300, 300), (8 * 299, 0)):
        pool.schedule.fit({"node-0": store_bytes * ROW_BYTES}, [])
        assert _held(pool) == held * ROW_BYTES
