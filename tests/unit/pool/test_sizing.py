"""A group finds the size that its load needs, proves each growth, gives back what is idle, and then stays as it is."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from data_group import Simulation, Work, steady
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from trainingrun_trainer.pool.load import Figures, Load, Meter
from trainingrun_trainer.pool.sizing import Limits, begin, decide
from trainingrun_trainer.pool.sizing_words import UNMEASURED

# (rows a second, CPU seconds a row, CPUs of a node): one to eight nodes.
_LOADS = [
    (100, 0.02, 4),
    (400, 0.02, 4),
    (1000, 0.02, 4),
    (200, 0.005, 1),
    (500, 0.01, 1),
    (50, 0.1, 2),
    (3000, 0.002, 4),
    (900, 0.03, 8),
    (120, 0.05, 1),
    (70, 0.1, 1),
    (10, 0.02, 1),
    (350, 0.02, 1),
]
_HOUR = 3600.0


def simulated(work: Work, *, least: int = 1, most: int = 8, seed: int = 1, cpus: int = 4, **more: object) -> Simulation:
    return Simulation(work, Limits(least, most, 5.0), random.Random(seed), cpus=cpus, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("demand", "row_seconds", "cpus"), _LOADS)
def test_a_group_ends_within_one_node_of_the_best_size(demand: int, row_seconds: float, cpus: int) -> None:
    work = steady(demand, row_seconds, noise=0.1)
    fixed = (simulated(work, least=n, most=n, cpus=cpus).run(400) for n in range(1, 9))
    best = next(run.limits.least for run in fixed if run.stall(60) <= 5)
    run = simulated(work, cpus=cpus).run(1200)
    assert abs(run.wanted.nodes - best) <= 1
    assert len(run.changes) <= 3
    assert run.stall(600) < 5


# Not shrunk: each example is an hour of a run, and a smaller one would say no more.
@settings(max_examples=12, derandomize=True, phases=(Phase.explicit, Phase.generate))
@example(seed=44141, nodes=7.0, row_seconds=0.125, noise=0.25, gap=(300.0, 60.0), stock=3.0, never=0.0, losses=0.0)
@example(seed=50, nodes=5.1, row_seconds=0.004, noise=0.16, gap=(60.0, 20.0), stock=3.0, never=0.1, losses=2.0)
@given(
    seed=st.integers(0, 10**6),
    nodes=st.floats(0.2, 10),
    row_seconds=st.floats(0.001, 0.2),
    noise=st.floats(0, 0.25),
    gap=st.sampled_from([None, (60.0, 20.0), (20.0, 5.0), (300.0, 60.0)]),
    stock=st.sampled_from([3.0, 30.0, 300.0]),
    never=st.sampled_from([0.0, 0.1]),
    losses=st.sampled_from([0.0, 2.0]),
)
def test_under_any_steady_load_the_size_settles(
    seed: int,
    nodes: float,
    row_seconds: float,
    noise: float,
    gap: tuple[float, float] | None,
    stock: float,
    never: float,
    losses: float,
) -> None:
    work = steady(4 * nodes / row_seconds, row_seconds, noise=noise, gap=gap, stock_seconds=stock)

    def pod_seconds(dice: random.Random) -> float:
        return math.inf if dice.random() < never else dice.uniform(10, 300)

    run = simulated(work, seed=seed, pod_seconds=pod_seconds, losses_per_hour=losses).run(_HOUR)
    wanted = [1, *(nodes for _, nodes in run.changes)]
    assert max(wanted) <= 8
    assert all(after <= 2 * before for before, after in pairwise(wanted))
    assert len(run.changes) <= 5
    turns = sum((b > a) != (c > b) for a, b, c in zip(wanted, wanted[1:], wanted[2:], strict=False))
    assert turns <= 1
    if not never and not losses and nodes < 7 and noise < 0.15:
        assert run.stall(_HOUR - 600) <= 7
    assert all(len(reason) <= 256 for reason in run.reasons)


def test_what_is_idle_is_given_back_and_comes_again() -> None:
    # Six nodes' worth of rows, then one and a half, then six again.
    work = Work(lambda t: 1200.0 if not 1200 < t < 2400 else 300.0, lambda _: 0.02)
    run = simulated(work).run(_HOUR)
    assert run.wanted_at(1200) in (6, 7)
    assert run.wanted_at(2400) == 2
    assert run.wanted.nodes in (6, 7)
    assert run.stall(_HOUR - 600) < 5
    assert any("given back" in reason for reason in run.reasons)


def test_a_growth_that_brings_nothing_is_undone_told_and_not_tried_again() -> None:
    run = simulated(steady(400, 0.02, most_rows=150.0), cpus=2).run(_HOUR)
    assert [nodes for _, nodes in run.changes] == [2, 4, 2]
    assert "from 2 to 4 data nodes is undone" in run.wanted.reason
    assert run.wanted.gain_percentage == 0


@pytest.mark.parametrize(("gap", "stock"), [((120.0, 60.0), 60.0), ((300.0, 60.0), 300.0), ((600.0, 300.0), 60.0)])
def test_what_was_made_in_a_pause_of_training_proves_nothing(gap: tuple[float, float], stock: float) -> None:
    run = simulated(steady(400, 0.02, most_rows=150.0, gap=gap, stock_seconds=stock), cpus=2).run(4 * sum(gap) + gap[0])
    assert [nodes for _, nodes in run.changes] == [2, 4, 2]
    # As soon as the stock is used up, it is told again why trainers wait.
    assert any("of their rows were made before" in reason for reason in run.reasons)
    assert "from 2 to 4 data nodes is undone" in run.wanted.reason


@pytest.mark.parametrize(("busy", "is_from_stock"), [(1.0, True), (0.7, False)])
def test_only_who_is_busy_all_the_time_can_live_from_stock(busy: float, is_from_stock: bool) -> None:
    # Passes of few rows are made ahead in one go, so that more may be taken in a while than is made.
    sums = Figures(nodes=1, rows=500, seconds=20, made_rows=400, taken_rows=500, busy_seconds=busy, worker_seconds=1)
    assert Load(sums).is_from_stock == is_from_stock


def test_a_measurement_waits_for_rows_that_take_long_to_make() -> None:
    meter, load = Meter(), None
    for second in range(60):
        made = 4.0 if second > 40 else 0.0
        sums = Figures(nodes=1, rows=second, seconds=second, made_rows=made, taken_rows=second)
        meter, load = meter.after(sums, float(second))
        assert (load is not None) == (second == 41)


def test_a_group_stays_as_it_is_where_training_pauses_too_often_to_be_measured() -> None:
    run = simulated(steady(800, 0.02, gap=(1.0, 2.0))).run(900)
    assert not run.changes
    assert "could not be measured for 14 min" in run.wanted.reason


def test_another_load_is_tried_again() -> None:
    # The rows get cheaper behind the workers, so that they do become the limit.
    work = Work(lambda t: 400.0, lambda t: 0.02 if t < 1800 else 0.05, most_rows=150.0)
    run = simulated(work, cpus=2).run(_HOUR)
    assert run.wanted_at(1700) == 2
    assert run.wanted.nodes > 2


def test_nodes_that_never_come_are_waited_for_and_told() -> None:
    run = simulated(steady(800, 0.02), pod_seconds=lambda _: math.inf).run(_HOUR)
    assert [nodes for _, nodes in run.changes] == [2]
    assert run.wanted.reason.startswith("1 of 2 data nodes is missing for ")


def test_nodes_that_are_no_longer_needed_before_they_come_are_not_waited_for() -> None:
    work = Work(lambda t: 800.0 if t < 120 else 40.0, lambda _: 0.02)
    run = simulated(work, pod_seconds=lambda _: math.inf).run(1200)
    assert [nodes for _, nodes in run.changes] == [2, 1]
    assert not run.pods


def test_at_the_limit_it_is_told_how_many_nodes_would_be_needed() -> None:
    run = simulated(steady(800, 0.02), most=2).run(600)
    assert run.wanted.nodes == 2
    assert "5 data nodes would be needed, but data.maxNodes is 2" in run.wanted.reason


def test_a_group_of_fixed_size_gets_advice_only() -> None:
    run = simulated(steady(800, 0.02), most=1).run(600)
    assert not run.changes
    assert "5 data nodes would be needed, but data.numNodes is 1" in run.wanted.reason


@pytest.mark.parametrize(
    ("cause", "busy", "words"),
    [
        ("Transfer", 1.0, "send fewer bytes per row"),
        ("Collate", 1.0, "move work from recipe.collate"),
        ("Production", 0.4, "data workers are busy 40 % only"),
    ],
)
def test_a_stall_that_nodes_cannot_help_is_told_as_what_it_is(cause: str, busy: float, words: str) -> None:
    state = begin(Limits(1, 4, 5.0))
    for second in range(120):
        sums = Figures(
            nodes=1,
            rows=100.0 * second,
            seconds=float(second),
            waited_seconds=0.5 * second,
            causes={cause: 0.5 * second},
            busy_seconds=4 * busy * second,
            worker_seconds=4.0 * second,
        )
        state, wanted = decide(state, sums, float(second))
    assert wanted.nodes == 1
    assert words in wanted.reason and "more data nodes would not help" in wanted.reason


def test_the_start_and_validation_are_not_taken_for_a_stall() -> None:
    work = steady(100, 0.02, gap=(30.0, 30.0), warm_up=12.0)
    run = simulated(work).run(1200)
    assert not run.changes
    assert run.reasons[0] == UNMEASURED
    assert "keeps up" in run.wanted.reason


def test_new_training_workers_begin_with_their_sums_at_nothing() -> None:
    state = begin(Limits(1, 4, 5.0))
    for second in range(60):
        sums = Figures(nodes=1, rows=float(second % 20), seconds=float(second % 20), waited_seconds=float(second % 20))
        state, wanted = decide(state, sums, float(second))
    assert wanted.reason == UNMEASURED
