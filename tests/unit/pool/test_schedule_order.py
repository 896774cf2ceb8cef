"""Every row exactly once and in one order, whatever workers, objects, costs and time do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_plans import ROW_BYTES, Row, plan_of
from simulated_pool import SimulatedPool

from trainingrun_trainer.data.slabs import SlabReport
from trainingrun_trainer.failures.errors import DataError, NodesLost
from trainingrun_trainer.pool.schedule import Schedule
from trainingrun_trainer.pool.tasks import Failed, Lost, PassKey, PassPlan, PrepareTask, ReadTask, Task

_KEY = PassKey(0, "train", 0)


def _expected(plan: PassPlan) -> list[list[Row]]:
    """What each rank gets from one worker that does nothing wrong."""
    pool = SimulatedPool()
    ranks = pool.begin(_KEY, plan)
    pool.run()
    return [rank.rows for rank in ranks]


@st.composite
def _plans(draw: st.DrawFn) -> PassPlan:
    return plan_of(
        draw(st.lists(st.integers(0, 60), min_size=1, max_size=12)),
        side_by_side=draw(st.integers(1, 5)),
        slab_rows=draw(st.sampled_from([5, 20, 100])),
        world_size=draw(st.integers(1, 4)),
        is_prepared=draw(st.booleans()),
    )


@settings(max_examples=60)
@given(
    plan=_plans(),
    workers=st.integers(1, 6),
    row_seconds=st.sampled_from([0.0, 1e-4, 0.01, 0.3]),
    kills=st.sampled_from([0.0, 0.0, 0.03]),
    losses=st.sampled_from([0.0, 0.02, 0.1]),
    budget=st.sampled_from([1, 20 * ROW_BYTES, 1 << 40]),
    trains=st.sampled_from([0.0, 0.05]),
    seed=st.integers(0, 1000),
)
def test_ranks_get_the_same_rows_in_the_same_order_whatever_happens(
    plan: PassPlan,
    workers: int,
    row_seconds: float,
    kills: float,
    losses: float,
    budget: int,
    trains: float,
    seed: int,
) -> None:
    expected = _expected(plan)
    everything = sorted(row for rows in expected for row in rows)
    assert everything == sorted(
        (bundle.index, place) for group in plan.groups for bundle in group for place in range(bundle.rows or 0)
    )
    assert max(map(len, expected)) - min(map(len, expected)) <= max(1, len(plan.groups) * 13)

    pool = SimulatedPool(
        workers=workers, row_seconds=row_seconds, kills=kills, losses=losses, budget_bytes=budget, seed=seed
    )
    ranks = pool.begin(_KEY, plan, trains)
    pool.run()
    for rank, rows in zip(ranks, expected, strict=True):
        if rank.error is not None:  # by chance, one task has killed three workers
            assert kills or losses
            assert isinstance(rank.error, DataError if kills else NodesLost)
            assert rank.rows == rows[: len(rank.rows)]
        else:
            assert rank.rows == rows


@given(plan=_plans(), losses=st.sampled_from([0.0, 0.1]), seed=st.integers(0, 100))
@settings(max_examples=30)
def test_nothing_is_held_after_a_pass(plan: PassPlan, losses: float, seed: int) -> None:
    pool = SimulatedPool(workers=3, losses=losses, seed=seed)
    pool.begin(_KEY, plan)
    pool.run()
    pool.schedule.drop(_KEY)
    pool.run()
    assert pool.store == {}
    assert pool.schedule.figures(pool.now).bytes_held == 0


@given(
    plan=_plans(),
    budget=st.sampled_from([1, 10 * ROW_BYTES, 50 * ROW_BYTES, 200 * ROW_BYTES]),
    workers=st.integers(1, 6),
    trains=st.sampled_from([0.0, 0.02, 1.0]),
)
@settings(max_examples=60)
def test_a_budget_is_held_but_for_what_ranks_need_next(
    plan: PassPlan, budget: int, workers: int, trains: float
) -> None:
    pool = SimulatedPool(workers=workers, budget_bytes=budget)
    pool.begin(_KEY, plan, trains)
    pool.run()
    window = max(len(group) for group in plan.groups) * plan.slab_bytes
    unit = max((len(each.task.positions) for each in pool.units), default=0) * ROW_BYTES
    # A window that is needed is read while the one before it is being made; one that is prepared is held twice.
    assert pool.most_held <= budget + unit * plan.world_size + window * (3 if plan.is_prepared else 2)


@pytest.mark.parametrize("workers", [1, 4])
def test_an_error_of_the_author_reaches_its_rank_after_all_rows_before_it(workers: int) -> None:
    plan = plan_of([200, 200, 200], side_by_side=2, world_size=2)
    expected = _expected(plan)
    wrong = expected[1][150]
    pool = SimulatedPool(workers=workers, fails=lambda row: row == wrong)
    ranks = pool.begin(_KEY, plan)
    pool.run()
    assert ranks[0].rows == expected[0]
    assert ranks[0].error is None
    assert str(ranks[1].error) == f"row {wrong}"
    assert ranks[1].rows == expected[1][: len(ranks[1].rows)]
    assert 0 < len(ranks[1].rows) <= 150


def test_rows_that_kill_three_workers_are_an_error_that_says_so() -> None:
    plan = plan_of([200, 200], world_size=2)
    expected = _expected(plan)
    pool = SimulatedPool(workers=4, deadly=lambda row: row == expected[0][120])
    ranks = pool.begin(_KEY, plan)
    pool.run()
    assert ranks[1].rows == expected[1]
    assert ranks[0].rows == expected[0][: len(ranks[0].rows)]
    assert isinstance(ranks[0].error, DataError)
    assert "3 data workers have died while they made rows" in str(ranks[0].error)
    assert "file-" in str(ranks[0].error)


@pytest.mark.parametrize("failing", [ReadTask, PrepareTask])
def test_a_slab_that_cannot_be_read_is_an_error_for_every_rank_in_its_place(failing: type[Task]) -> None:
    plan = plan_of([200, 200, 200], side_by_side=2, world_size=2, is_prepared=True)
    expected = _expected(plan)
    pool = SimulatedPool(workers=4, fails=lambda row: row == (1, 150), failing=failing)
    ranks = pool.begin(_KEY, plan)
    pool.run()
    # The first windows of the group are whole, the second is the one with the row.
    assert [rank.rows for rank in ranks] == [rows[:100] for rows in expected]
    assert all("(1, 150)" in str(rank.error) for rank in ranks)


def test_a_file_that_has_changed_when_it_is_read_again_is_an_error() -> None:
    plan = plan_of([40])
    schedule = Schedule(1 << 40)
    schedule.worker_joined("a", "node")
    schedule.begin(_KEY, plan, 0.0)
    [read] = schedule.assignments(0.0)
    schedule.done(read.task_id, SlabReport(40, 40, 1000, False, 0.1), 0.1)
    make = schedule.assignments(0.1)[0]
    schedule.failed(make.task_id, Lost.INPUT, 0.2, lost=[read.task_id])
    again = next(each for each in schedule.assignments(0.2) if isinstance(each.task, ReadTask))
    assert again.task == read.task
    schedule.done(again.task_id, SlabReport(39, 39, 1000, False, 0.1), 0.3)
    schedule.assignments(0.3)
    answer = schedule.ready(_KEY, 0)
    assert isinstance(answer, Failed)
    assert str(answer.error) == (
        "file-0: found 39 rows where there were 40 before; the file, or the cache, has changed while it was read"
    )
