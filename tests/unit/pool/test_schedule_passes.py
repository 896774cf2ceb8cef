"""Passes one after another: prepared ahead, kept, dropped, replaced, and asked for when they are over."""

from __future__ import annotations

import dataclasses

import pytest
from pool_plans import ROW_BYTES, plan_of
from simulated_pool import SimulatedPool

from trainingrun_trainer.pool.tasks import Ended, Failed, PassKey, PassPlan, Waiting

_PLAN = plan_of([400] * 20, side_by_side=5, slab_rows=100, world_size=2)
_CHECKED = plan_of([100] * 3, world_size=2, is_kept=True)


def _train(number: int, generation: int = 0) -> PassKey:
    return PassKey(generation, "train", number)


def _validation(number: int) -> PassKey:
    return PassKey(0, "validation", number)


@pytest.mark.parametrize("workers", [4, 16])
def test_trainers_that_are_slower_than_the_pool_wait_neither_in_a_pass_nor_between_two(workers: int) -> None:
    pool = SimulatedPool(workers=workers, budget_bytes=3000 * ROW_BYTES)
    pool.schedule.prepare_ahead(_train(0), _PLAN)
    pool.run(lambda: pool.now > 0.5)
    start = pool.now
    for number in range(2):
        ranks = pool.begin(_train(number), _PLAN, 0.005)
        pool.schedule.prepare_ahead(_train(number + 1), _PLAN)
        pool.run()
        assert all(rank.times[0] == pytest.approx(start + number * 4000 * 0.005, abs=0.01) for rank in ranks)
    # The last unit's training is not waited for.
    assert pool.now == pytest.approx(start + 2 * 4000 * 0.005, abs=0.01)


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_no_gap_lies_between_passes_of_which_the_next_is_prepared_ahead(workers: int) -> None:
    pool = SimulatedPool(workers=workers)
    last = 0.0
    for number in range(3):
        ranks = pool.begin(_train(number), _PLAN)
        pool.schedule.prepare_ahead(_train(number + 1), _PLAN)
        pool.run()
        if number:
            assert min(rank.times[0] for rank in ranks) - last < 0.3  # the first unit is in the making
        last = pool.now
    due = 3 * 8000 * pool.row_seconds / workers
    assert due / pool.now >= 0.95


def test_what_was_prepared_for_another_plan_is_not_adopted() -> None:
    resumed = dataclasses.replace(_PLAN, consumed=b"some")
    pool = SimulatedPool(workers=2)
    pool.schedule.prepare_ahead(_train(0), _PLAN)
    pool.run(lambda: len(pool.units) > 3)
    pool.begin(_train(0), resumed)
    units = len(pool.units)
    pool.run()
    assert sum(len(unit.task.positions) for unit in pool.units[units:]) == 8000


def test_a_kept_pass_is_handed_out_again_without_work() -> None:
    pool = SimulatedPool(workers=3, has_kept=True)
    first = pool.begin(_validation(0), _CHECKED)
    pool.run()
    units, reads = len(pool.units), pool.reads
    pool.begin(_train(0), _PLAN)
    pool.run()
    trained = len(pool.units)
    for number in (1, 2):
        again = pool.begin(_validation(number), _CHECKED)
        pool.run()
        assert [rank.rows for rank in again] == [rank.rows for rank in first]
    assert units
    assert reads
    assert len(pool.units) == trained


def test_kept_units_that_are_lost_are_made_again() -> None:
    pool = SimulatedPool(workers=3, has_kept=True)
    first = pool.begin(_validation(0), _CHECKED)
    pool.run()
    pool.vanished.update(pool.store)
    pool.store.clear()
    again = pool.begin(_validation(1), _CHECKED)
    pool.run()
    assert [rank.rows for rank in again] == [rank.rows for rank in first]


def test_what_does_not_fit_into_a_quarter_of_the_budget_is_not_kept() -> None:
    budget = 4 * 200 * ROW_BYTES
    pool = SimulatedPool(workers=3, has_kept=True, budget_bytes=budget)
    first = pool.begin(_validation(0), _CHECKED)
    pool.run()
    assert pool.schedule.figures(pool.now).bytes_held == 0
    again = pool.begin(_validation(1), _CHECKED)
    pool.run()
    assert [rank.rows for rank in again] == [rank.rows for rank in first]
    assert sum(len(unit.task.positions) for unit in pool.units) == 600


def test_validation_is_not_kept_waiting_by_what_is_held_for_training() -> None:
    budget = 4000 * ROW_BYTES
    pool = SimulatedPool(workers=4, has_kept=True, budget_bytes=budget)
    ranks = pool.begin(_train(0), _PLAN, 1000.0)
    pool.run(lambda: pool.schedule.figures(pool.now).units_in_flight == 0 and pool.now > 5)
    before = pool.now
    checked = pool.begin(_validation(0), _CHECKED)
    pool.run(lambda: all(rank.ended for rank in checked))
    assert 300 * pool.row_seconds / 4 / (pool.now - before) > 0.6
    assert ranks[0].ended is None


def test_a_rank_is_told_when_its_pass_has_not_begun_and_when_it_is_over() -> None:
    pool = SimulatedPool(workers=2)
    schedule = pool.schedule
    assert schedule.ready(_train(0), 0) == Waiting()
    schedule.prepare_ahead(_train(0), _PLAN)
    assert schedule.ready(_train(0), 0) == Waiting()
    pool.begin(_train(0), _PLAN)
    pool.run()
    assert schedule.ready(_train(0), 0) == Ended()
    assert schedule.ready(_train(1), 0) == Waiting()
    pool.begin(_train(0, generation=1), _PLAN)
    assert schedule.ready(_train(7), 0) == Ended()
    schedule.drop(_train(0, generation=1))
    assert schedule.ready(_train(0, generation=1), 0) == Ended()


def test_a_rank_that_has_not_all_rows_of_a_replaced_pass_is_not_told_that_it_has() -> None:
    pool = SimulatedPool(workers=2)
    pool.begin(_train(0), _PLAN)
    pool.run(lambda: len(pool.units) > 5)
    pool.schedule.begin(_train(1), _PLAN, pool.now)
    answer = pool.schedule.ready(_train(0), 1)
    assert isinstance(answer, Failed)
    assert "another pass has begun before rank 1 had all rows" in str(answer.error)


@pytest.mark.parametrize("plan", [_PLAN, dataclasses.replace(_CHECKED, groups=_PLAN.groups)])
def test_a_dropped_pass_lets_everything_go_and_its_tasks_end_unnoticed(plan: PassPlan) -> None:
    pool = SimulatedPool(workers=3, has_kept=True)
    pool.begin(_train(0), plan)
    pool.run(lambda: len(pool.units) > 8)
    pool.schedule.drop(_train(0))
    assert pool.schedule.figures(pool.now).bytes_held == 0
    pool.run(lambda: pool.schedule.figures(pool.now).units_in_flight == 0)
    assert pool.store == {}
    ranks = pool.begin(_train(1), plan)
    pool.run()
    assert sum(len(rank.rows) for rank in ranks) == 8000


def test_ranks_of_a_new_generation_begin_anew_with_other_workers() -> None:
    pool = SimulatedPool(workers=4)
    old = pool.begin(_train(0), _PLAN)
    pool.run(lambda: len(pool.units) > 20)
    for worker in pool.workers[:3]:
        pool.leave(worker)
    pool.join()
    new = pool.begin(_train(0, generation=1), _PLAN)
    pool.run()
    assert sorted(row for rank in new for row in rank.rows) == [(b, i) for b in range(20) for i in range(400)]
    assert all(rank.ended is not None and rank.error is None for rank in old)


def test_workers_that_join_are_busy_at_once() -> None:
    pool = SimulatedPool(workers=1)
    pool.begin(_train(0), _PLAN)
    pool.run(lambda: pool.now > 5)
    for _ in range(7):
        pool.join()
    pool.run()
    assert 5 + (8000 * pool.row_seconds - 5) / 8 > 0.9 * pool.now


def test_nothing_happens_without_workers_and_a_name_is_used_once() -> None:
    pool = SimulatedPool(workers=0)
    pool.schedule.begin(_train(0), _PLAN, 0.0)
    assert pool.schedule.assignments(0.0) == []
    worker = pool.join()
    with pytest.raises(ValueError, match="has joined already"):
        pool.schedule.worker_joined(worker, "node")


def test_figures_tell_rates_and_costs() -> None:
    pool = SimulatedPool(workers=4)
    pool.begin(_train(0), _PLAN)
    pool.run(lambda: pool.now > 8)
    figures = pool.schedule.figures(pool.now)
    assert figures.workers == 4
    assert figures.busy_share > 0.99
    assert figures.worker_seconds == pytest.approx(4 * pool.now)
    assert figures.rows_per_second == pytest.approx(4 / pool.row_seconds, rel=0.1)
    assert figures.stages["train", "Make"].seconds_per_row == pytest.approx(pool.row_seconds, rel=0.1)
    assert figures.stages["train", "Make"].bytes_per_row == ROW_BYTES
    assert figures.seconds_by_step["train", "step"] == pytest.approx(pool.row_seconds, rel=0.1)
    assert figures.has_work_waiting
    assert figures.bytes_held > 0
    # All that is made for training is taken, some of it later; validation, of which units are kept, does not count.
    assert figures.rows_made > figures.rows_taken > 0
    pool.begin(_validation(0), _CHECKED)
    pool.run()
    figures = pool.schedule.figures(pool.now)
    assert figures.rows_made == figures.rows_taken == 8000
