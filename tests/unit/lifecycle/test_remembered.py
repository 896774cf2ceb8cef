"""Status is the only memory, and anybody may have written it: what cannot be read is left out, never an error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seen_objects import NOTHING, NOW, a_run, entry, job, seen, status, status_of, text_of

from trainingrun.naming import ray_job_name
from trainingrun.observed import Observed
from trainingrun.status.conditions import ConditionType, conditions_of
from trainingrun.status.recorded import recorded_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "attempts",
    "conditions",
    "failures",
    "startTime",
    "completionTime",
    "usage",
    "outputs",
    "trainerStatus",
    "dataStatus",
]


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.sampled_from([NOTHING, seen("Running"), seen("Failed")]))
def test_no_status_makes_a_look_fail(wrong: dict[str, Any], observed: Observed) -> None:
    written = status_of(a_run(status=wrong), observed, NOW)
    assert len(written["conditions"]) == len(ConditionType)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(list(entry())), JSON))
def test_an_attempt_is_never_forgotten_while_its_number_can_be_read(wrong: dict[str, Any]) -> None:
    written = status_of(a_run(status=status({**wrong, "index": 4})), NOTHING, NOW)
    assert next(attempt["index"] for attempt in written["attempts"]) == 4


@pytest.mark.parametrize("index", [-1, True, "4", 4.0, None, 10**8])
def test_an_entry_without_a_usable_number_is_none(index: Any) -> None:
    assert recorded_of(status({**entry(), "index": index}), NOW).attempts == ()


@pytest.mark.parametrize("time", ["1999-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-09-01", "soon", 5, None])
def test_a_time_that_arithmetic_cannot_use_is_left_out(time: Any) -> None:
    recorded = recorded_of(status({**entry(), "startTime": time}, startTime=time), NOW)
    assert (recorded.start_time, recorded.attempts[0].start_time) == (None, None)


def test_attempts_are_in_the_order_of_their_numbers_and_each_is_there_once() -> None:
    listed = [entry(2), entry(0, "Failed"), entry(1, "Failed"), entry(2, "Pending")]
    attempts = recorded_of(status(*listed), NOW).attempts
    assert [(attempt.index, attempt.outcome) for attempt in attempts] == [
        (0, "Failed"),
        (1, "Failed"),
        (2, "Pending"),
    ]


@pytest.mark.parametrize(
    ("written", "counted", "expected"),
    [(5, 1, 5), (0, 2, 2), (None, 2, 2), (-3, 1, 1), (True, 2, 2), ("7", 1, 1), (10**12, 1, 1)],
)
def test_the_failures_are_never_fewer_than_the_attempts_show(written: Any, counted: int, expected: int) -> None:
    entries = [entry(index, "Failed", counted=True) for index in range(counted)]
    assert recorded_of(status(*entries, failures=written), NOW).failures == expected


def test_a_verdict_is_known_even_where_nothing_else_of_it_can_be_read() -> None:
    broken = [{"type": "Complete", "status": "True", "lastTransitionTime": "?", "reason": 3}]
    read = recorded_of({"conditions": broken}, NOW).verdict
    assert read is not None and (read.type, read.last_transition_time) == (ConditionType.COMPLETE, NOW)


def test_of_two_conditions_of_a_type_the_first_counts() -> None:
    known = {"status": "True", "lastTransitionTime": text_of(NOW), "observedGeneration": 1}
    listed = [{"type": "Failed", "reason": reason, "message": "", **known} for reason in ("First", "Second")]
    assert conditions_of(listed, NOW)[ConditionType.FAILED].reason == "First"


@pytest.mark.parametrize("listed", [None, 3, "x", [None], [{}], [{"type": "New", "status": "True"}]])
def test_conditions_that_this_version_does_not_know_are_left_out(listed: Any) -> None:
    assert conditions_of(listed, NOW) == {}


def test_an_object_is_an_attempt_s_by_a_uid_and_never_by_its_name() -> None:
    copied = job("Running", uid="copied", owner_uid=None, name=ray_job_name("mnist", "5f4c1f0a", 0))
    assert status_of(a_run(), Observed((copied,)), NOW)["state"] == "Pending"


@pytest.mark.parametrize("owner", ["5f4c1f0a", None])
def test_a_ray_job_that_status_knows_stays_the_attempt_s_whatever_was_taken_from_it(owner: str | None) -> None:
    """Somebody may have removed its owner and its labels."""
    stripped = Observed((replace(job("Running"), attempt=-1, owner_uid=owner),))
    looked = status_of(a_run(status=status(entry())), stripped, NOW)["attempts"]
    assert [(attempt["index"], attempt["outcome"]) for attempt in looked] == [(0, "Running")]
    assert "missingSince" not in looked[0]
