"""Each change that a person would want to hear of gives one Kubernetes Event; what stays as it is gives none."""

from __future__ import annotations

from typing import Any

import pytest
from seen_objects import NOTHING, QUEUED, a_run, after_look, at, entry, job, pod, pods, seen, status, suspected, text_of

from trainingrun.lifecycle import decide
from trainingrun.lifecycle.events import Event, events_of
from trainingrun.observed import Observed, RunObject
from trainingrun.status.fields import Status
from trainingrun.status.recorded import recorded_of


def condition(kind: str, holds: str, reason: str, message: str = "words") -> dict[str, Any]:
    times = {"lastTransitionTime": text_of(at(0)), "observedGeneration": 1}
    return {"conditions": [{"type": kind, "status": holds, "reason": reason, "message": message, **times}]}


def change(old: dict[str, Any], new: dict[str, Any]) -> tuple[Event, ...]:
    """The events of the change from a status that the API server holds to one that is about to be written."""
    needed = {"observedGeneration": 1, "state": "Running", "conditions": []}
    return events_of(recorded_of(old, at(0)), Status.model_validate({**needed, **new}))


def events(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str]]:
    return [(event.type, event.reason) for event in change(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, condition("Accepted", "True", "Valid"), [("Normal", "Valid")]),
        ({}, condition("Accepted", "False", "InvalidSpec"), [("Warning", "InvalidSpec")]),
        ({}, condition("Admitted", "False", "Queued"), [("Normal", "Queued")]),
        ({}, condition("Admitted", "True", "QuotaReserved"), [("Normal", "QuotaReserved")]),
        ({}, condition("PodsReady", "False", "Unschedulable"), [("Warning", "Unschedulable")]),
        ({}, condition("PodsReady", "False", "QuotaExceeded"), [("Warning", "QuotaExceeded")]),
        ({}, condition("PodsReady", "False", "PodsStarting"), []),
        ({}, condition("PodsReady", "True", "AllPodsReady"), [("Normal", "AllPodsReady")]),
        ({}, condition("DataStarved", "True", "StallAboveLimit"), [("Warning", "StallAboveLimit")]),
        ({}, condition("DataStarved", "Unknown", "NoReport"), []),
        ({}, condition("Suspended", "True", "Suspended"), [("Normal", "Suspended")]),
        ({}, condition("Suspended", "False", "NotSuspended"), []),
        ({}, condition("Reconciling", "True", "Training"), []),
        ({}, condition("Stalled", "True", "UserError"), []),
        ({}, condition("Complete", "True", "TrainingComplete"), [("Normal", "TrainingComplete")]),
        ({}, condition("Failed", "True", "UserError"), [("Warning", "UserError")]),
        (
            condition("Suspended", "True", "Suspended"),
            condition("Suspended", "False", "NotSuspended"),
            [("Normal", "Resumed")],
        ),
        (condition("Suspended", "True", "Suspended"), condition("Suspended", "False", "Finished"), []),
        (
            condition("PodsReady", "False", "Unschedulable"),
            condition("PodsReady", "False", "ImagePull"),
            [("Warning", "ImagePull")],
        ),
        (condition("PodsReady", "True", "AllPodsReady"), condition("PodsReady", "False", "PodsStarting"), []),
    ],
    ids=lambda case: "-".join(c["reason"] for c in case["conditions"]) if isinstance(case, dict) and case else "",
)
def test_a_condition_that_turns_is_told(
    old: dict[str, Any], new: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert events(old, new) == expected


def test_other_words_of_the_same_trouble_are_no_news() -> None:
    """The scheduler's words change whenever a node does."""
    before = condition("PodsReady", "False", "Unschedulable", "0/3 nodes are available")
    assert events(before, condition("PodsReady", "False", "Unschedulable", "0/4 nodes are available")) == []


def test_an_attempt_that_fails_is_told_with_its_place_code_and_words() -> None:
    failed = entry(2, "Failed", failureClass="Infrastructure", node="node-9", exitCode=14, message="Ray has gone")
    (event,) = change(status(entry(2)), status(failed))
    assert (event.type, event.reason) == ("Warning", "Infrastructure")
    assert event.message == "Attempt 2 failed on node node-9 (exit code 14): Ray has gone"


@pytest.mark.parametrize(
    ("field", "reason", "words"),
    [("headRestarts", "HeadLost", "The head of attempt 0 was lost"), ("preemptions", "Preempted", "was preempted")],
)
def test_each_loss_within_an_attempt_is_told_once(field: str, reason: str, words: str) -> None:
    lost = status(entry(0, **{field: 2}))
    (event,) = change(status(entry(0, **{field: 1})), lost)
    assert event.reason == reason and words in event.message
    assert events(lost, lost) == []


def test_no_event_is_longer_than_the_api_server_takes() -> None:
    (event,) = change({}, condition("Failed", "True", "UserError", "x" * 5000))
    assert len(event.message) == 1024


def test_a_status_that_cannot_be_read_does_no_harm() -> None:
    assert change({"attempts": 3, "conditions": [None, {"type": "No"}]}, status(entry(0))) == ()


LOOKS: list[tuple[RunObject, Observed, list[str]]] = [
    (a_run(), NOTHING, ["Valid"]),
    (a_run(labels=QUEUED), seen("Queued"), ["Valid", "Queued"]),
    (a_run(), seen("Starting", ready=False), ["Valid", "NotQueued"]),
    (a_run(status=status(entry(0))), seen("Failed"), ["Infrastructure", "Valid"]),
    (
        a_run(status=status(entry(0), suspected=suspected("Infrastructure", has_ended=True)), backoffLimit=0),
        Observed((job("Failed", reason="SubmissionFailed"),), pods=pods()),
        ["Infrastructure", "Valid", "Infrastructure"],
    ),
    (
        a_run(status=status(entry(0))),
        Observed((job(),), pods=(pod("head", name="second"),)),
        ["HeadLost", "Valid", "NotQueued"],
    ),
]


@pytest.mark.parametrize(
    ("run", "observed", "expected"), LOOKS, ids=lambda case: " ".join(case) if isinstance(case, list) else ""
)
def test_a_look_gives_its_events_and_the_next_one_none(run: RunObject, observed: Observed, expected: list[str]) -> None:
    looked = after_look(run, observed)
    assert [event.reason for event in decide(run, observed, at(0)).events] == expected
    assert decide(looked, observed, at(1)).events == ()
