"""What steps cost: the data stall is a share of the trainers' time, in percent, split by cause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.train.stall_clock import StallClock

SECONDS = st.floats(0, 1e6, allow_nan=False)


def step(clock: StallClock, *, waited: float, computed: float, is_first: bool = False, rows: int = 1) -> StallClock:
    waiting = clock.with_time(waited, computed_seconds=0.0)
    batch = waiting.with_batch(rows=rows, waited_seconds=waited, is_first=is_first)
    return batch.with_time(computed, computed_seconds=computed)


def test_nothing_measured_is_no_stall_and_no_rate() -> None:
    stall = StallClock().stall({"Production": 1.0})
    assert (stall.total_percent, stall.steady_percent) == (0.0, 0.0)
    assert StallClock().rows_per_second is None
    assert StallClock().with_time(3.0, computed_seconds=0.0).rows_per_second is None


def test_waiting_is_a_share_of_waiting_and_computing() -> None:
    clock = step(StallClock(), waited=2.0, computed=1.0, is_first=True)
    clock = step(clock, waited=1.0, computed=2.0)
    clock = step(clock, waited=0.0, computed=2.0)
    stall = clock.stall({"Production": 3.0, "Transfer": 1.0, "Collate": 0.0})
    assert stall.total_percent == pytest.approx(100 * 3 / 8)
    assert stall.steady_percent == pytest.approx(100 * 1 / 6)  # without the wait for the first batch
    assert stall.causes == pytest.approx({"Production": 37.5 * 3 / 4, "Transfer": 37.5 / 4, "Collate": 0.0})
    assert clock.steady_seconds == pytest.approx(6)


def test_a_stall_without_known_causes_has_none() -> None:
    clock = step(StallClock(), waited=1.0, computed=1.0)
    assert clock.stall({}).causes == {}
    assert clock.stall({"Production": 0.0}).causes == {}


def test_a_rate_is_of_all_the_time_of_steps() -> None:
    clock = step(StallClock(), waited=2.0, computed=1.0, rows=10).with_time(1.0, computed_seconds=0.0)
    assert clock.rows_per_second == pytest.approx(10 / 4)


def test_a_stretch_is_what_was_added_since() -> None:
    before = step(StallClock(), waited=2.0, computed=1.0, is_first=True, rows=5)
    after = step(before, waited=0.5, computed=1.5, rows=7)
    assert after.since(before) == step(StallClock(), waited=0.5, computed=1.5, rows=7)
    assert after.since(after) == StallClock()


@given(st.lists(st.tuples(SECONDS, SECONDS, st.booleans()), max_size=20), st.lists(SECONDS, min_size=3, max_size=3))
def test_shares_are_between_0_and_100_and_causes_add_up(
    steps: list[tuple[float, float, bool]], weights: list[float]
) -> None:
    clock = StallClock()
    for waited, computed, is_first in steps:
        clock = step(clock, waited=waited, computed=computed, is_first=is_first)
    stall = clock.stall(dict(zip(("Production", "Transfer", "Collate"), weights, strict=True)))
    assert 0 <= stall.total_percent <= 100 + 1e-9
    assert -1e-6 <= stall.steady_percent <= stall.total_percent + 1e-6
    if stall.causes:
        assert sum(stall.causes.values()) == pytest.approx(stall.total_percent)
