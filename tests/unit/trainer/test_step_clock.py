"""The data stall is a share of the trainers' time, in percent, split by cause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.train.stall import StallClock

SECONDS = st.floats(0, 1e6, allow_nan=False)


def test_nothing_measured_is_no_stall() -> None:
    stall = StallClock().stall({"Production": 1.0})
    assert (stall.total_percent, stall.steady_percent) == (0.0, 0.0)


def test_waiting_is_a_share_of_waiting_and_computing() -> None:
    clock = StallClock()
    clock.add(waited_seconds=2.0, computed_seconds=1.0, is_first=True)
    clock.add(waited_seconds=1.0, computed_seconds=2.0, is_first=False)
    clock.add(waited_seconds=0.0, computed_seconds=2.0, is_first=False)
    stall = clock.stall({"Production": 3.0, "Transfer": 1.0, "Collate": 0.0})
    assert stall.total_percent == pytest.approx(100 * 3 / 8)
    assert stall.steady_percent == pytest.approx(100 * 1 / 6)  # without the wait for the first batch
    assert stall.causes == pytest.approx({"Production": 37.5 * 3 / 4, "Transfer": 37.5 / 4, "Collate": 0.0})


def test_a_stall_without_known_causes_has_none() -> None:
    clock = StallClock()
    clock.add(waited_seconds=1.0, computed_seconds=1.0, is_first=False)
    assert clock.stall({}).causes == {}
    assert clock.stall({"Production": 0.0}).causes == {}


@given(st.lists(st.tuples(SECONDS, SECONDS, st.booleans()), max_size=20), st.lists(SECONDS, min_size=3, max_size=3))
def test_shares_are_between_0_and_100_and_causes_add_up(
    steps: list[tuple[float, float, bool]], weights: list[float]
) -> None:
    clock = StallClock()
    for waited, computed, is_first in steps:
        clock.add(waited_seconds=waited, computed_seconds=computed, is_first=is_first)
    stall = clock.stall(dict(zip(("Production", "Transfer", "Collate"), weights, strict=True)))
    assert 0 <= stall.total_percent <= 100 + 1e-9
    assert -1e-6 <= stall.steady_percent <= stall.total_percent + 1e-6
    if stall.causes:
        assert sum(stall.causes.values()) == pytest.approx(stall.total_percent)
