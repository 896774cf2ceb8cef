"""A run fails for good only if the world holds a cause of that class: its own, in our container, in its time.

Histories mix causes with what only looks like one, seen late, half or not at all, by clocks that may jump. The run has
no retries, so that every error of judgement would be final.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from verdict_events import EVENTS, VARIANTS
from verdict_histories import LENGTH, History, play

steps = st.tuples(st.integers(0, len(EVENTS) - 1), st.integers(0, VARIANTS - 1))


def event(name: str) -> int:
    """The number of an event."""
    return next(number for number, event in enumerate(EVENTS) if event.__name__ == name)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=1, max_size=LENGTH), st.booleans())
@example([(event("driver_ends"), 7)], True)
@example([(event("image"), 0), (event("pods_late"), 0), (event("image"), 1)], False)
@example([(event("image"), 2), (event("pods_late"), 5), (event("image"), 3), (event("image"), 0)], False)
@example([(event("ray_job_goes"), 7), (event("driver_ends"), 1), (event("ray_job_goes"), 0)], True)
def test_a_run_fails_for_good_only_for_a_cause(history: History, is_training: bool) -> None:
    play(history, is_training=is_training)


@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        ([("driver_ends", 2)], "UserError"),
        ([("driver_ends", 1)], "InvalidConfig"),
        ([("memory", 2)], "OutOfMemory"),
        ([("two_heads", 0)], "Infrastructure"),
        ([("ray_job_goes", 0)], "Infrastructure"),
        ([("image", 8)], "ImagePull"),
        ([("image", 0), ("time_passes", 5)], "ImagePull"),
        ([("head_replaced", 0)], "HeadLost"),
        ([("time_passes", 7), ("time_passes", 8)], "DeadlineExceeded"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_each_cause_does_end_it(history: list[tuple[str, int]], verdict: str) -> None:
    """Or the property would hold of an operator that never ends a run."""
    steps = [(event(name), variant) for name, variant in history]
    assert play(steps, is_training=verdict != "ImagePull").verdict == verdict
