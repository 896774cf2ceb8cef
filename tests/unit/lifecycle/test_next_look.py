"""When a run is looked at again although nothing happens: never too late, and not at all when time changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from seen_objects import (
    NOTHING,
    NOW,
    QUEUED,
    a_run,
    after_look,
    at,
    cluster,
    entry,
    job,
    seen,
    status,
    suspected,
    text_of,
    verdict,
)

from trainingrun.lifecycle import decide
from trainingrun.lifecycle.permission import Creation, FreshRead
from trainingrun.observed import Observed, RunObject

MISSING = suspected("Infrastructure", -10)
FAILED = entry(0, "Failed", failureClass="Infrastructure", counted=True, endTime=text_of(NOW))
FINAL = entry(0, "Failed", failureClass="UserError", endTime=text_of(NOW))


def usage(activity: str, since: float, **seconds: int) -> dict[str, Any]:
    return {"activity": activity, "since": text_of(at(since)), **seconds}


def reported(seconds: float) -> dict[str, Any]:
    return {"trainerStatus": {"progressPercentage": 1, "lastUpdatedTime": text_of(at(seconds))}}


def look(run: RunObject, observed: Observed, now: datetime = NOW) -> float | None:
    """In how many seconds after NOW the run is looked at again."""
    due = decide(run, observed, now).look_again
    return None if due is None else (due - NOW).total_seconds()


@pytest.mark.parametrize(
    ("what", "run", "observed", "expected"),
    [
        ("a create is under way", a_run(), NOTHING, 5),
        ("a back-off", a_run(status=status({**FAILED, "retryTime": text_of(at(40))})), NOTHING, 40),
        (
            "a back-off, by a clock that was set back",
            a_run(status=status({**FAILED, "retryTime": text_of(at(9999))})),
            seen("Failed"),
            360,
        ),
        ("KubeRay has not noticed for a minute", a_run(status=status(entry(0))), seen("New"), 3540),
        ("KubeRay has just been asked", a_run(status=status(entry(0))), seen("New", created=at(-20)), 40),
        ("a RayJob is missing", a_run(status=status(entry(0), suspected=MISSING)), NOTHING, 20),
        ("training runs", a_run(status=status(entry(0))), seen("Running"), 1770),
        ("training reports", a_run(status={**status(entry(0)), **reported(-100 + 90)}), seen("Running"), 1790),
        (
            "an old attempt reported",
            a_run(status={**status(entry(0)), **reported(-300)}, progressDeadlineSeconds=100),
            seen("Running"),
            70,
        ),
        (
            "all are silent",
            a_run(status={**status(entry(0)), **reported(-100)}, progressDeadlineSeconds=30),
            replace(seen("Running"), others_heard=at(-100)),
            60,
        ),
        (
            "the run is limited",
            a_run(status=status(entry(0), usage=usage("Training", -40, activeSeconds=50)), activeDeadlineSeconds=100),
            seen("Running"),
            10,
        ),
        (
            "time in a queue is not active",
            a_run(
                labels=QUEUED,
                status=status(entry(0, "Pending"), usage=usage("Queued", -40, activeSeconds=50)),
                activeDeadlineSeconds=100,
            ),
            seen("Queued"),
            None,
        ),
        (
            "nor is time suspended",
            a_run(
                suspend=True,
                status=status(entry(0, "Suspended"), usage=usage("Suspended", -40, activeSeconds=50)),
                activeDeadlineSeconds=100,
            ),
            NOTHING,
            None,
        ),
        (
            "the earliest of several counts",
            a_run(
                status={
                    **status(entry(0), usage=usage("Training", -40, activeSeconds=50)),
                    **reported(-5),
                },
                activeDeadlineSeconds=100,
                progressDeadlineSeconds=12,
            ),
            seen("Running"),
            7,
        ),
        ("a finished run's cluster", a_run(status=verdict("Failed", "UserError", FINAL)), seen("Failed"), 600),
        (
            "a finished run's cluster that goes already",
            a_run(status=verdict("Failed", "UserError", FINAL)),
            Observed((job("Failed"),), (cluster(deleting=True),)),
            None,
        ),
        ("a finished run", a_run(status=verdict("Failed", "UserError", FINAL)), NOTHING, None),
        ("a run that is being deleted", a_run(deleting=True), seen("Running"), None),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_time_alone_may_change_something(what: str, run: RunObject, observed: Observed, expected: float | None) -> None:
    assert look(run, observed) == expected


def test_a_refused_create_is_tried_ever_more_seldom() -> None:
    refused = Observed(refusal=("Forbidden", "exceeded quota"))
    run, now, pauses = after_look(a_run(), NOTHING), at(5), []
    for _ in range(7):
        run = after_look(run, refused, now)
        due = datetime.fromisoformat(run.status["attempts"][0]["createRetryTime"])
        pauses.append((due - now).total_seconds())
        assert decide(run, refused, due).create == Creation(0, FreshRead())
        now = due
    assert pauses == [15, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize(
    "run",
    [
        a_run(status=status(entry(0), usage=usage("Training", 0)), activeDeadlineSeconds=60),
        a_run(status={**status(entry(0)), **reported(0)}, progressDeadlineSeconds=60),
    ],
    ids=["active", "progress"],
)
def test_at_the_look_that_was_planned_the_deadline_is_over(run: RunObject) -> None:
    due = decide(run, seen("Running"), at(10)).look_again
    assert due == at(60)
    before, then = after_look(run, seen("Running"), at(59)), after_look(run, seen("Running"), at(60))
    assert ["suspected" in looked.status for looked in (before, then)] == [False, True]
    assert decide(then, seen("Running"), at(60)).look_again == at(70)
    assert after_look(then, seen("Running"), at(70)).status["attempts"][0]["outcome"] == "Failed"
