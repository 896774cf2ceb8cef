"""When a queue is asked why it holds a run back: at once, then less and less often, and only while it does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from seen_objects import NOTHING, NOW, a_run, at, entry, job, seen

from trainingrun.lifecycle import decide
from trainingrun.observed import Observed, QueueAnswer

QUEUED = {"kueue.x-k8s.io/queue-name": "ml"}
HELD = seen("Queued")


def answered(observed: Observed, asked: datetime, message: str | None = None, uid: str = "job-0") -> Observed:
    return replace(observed, queue=QueueAnswer(uid, message, asked))


def created(seconds: float) -> Observed:
    return replace(HELD, ray_jobs=(job("Queued", created=at(seconds)),))


@pytest.mark.parametrize(
    ("observed", "asked"),
    [
        (HELD, True),
        (answered(HELD, NOW), False),
        # Of an attempt before.
        (answered(HELD, NOW, uid="job-9"), True),
        # Its clock was set back.
        (answered(HELD, at(9)), True),
        (NOTHING, False),
        (seen("New"), False),
        (seen("Running"), False),
        (seen("Complete"), False),
    ],
)
def test_a_queue_is_asked_about_what_it_holds_back_and_nothing_else(observed: Observed, asked: bool) -> None:
    assert decide(a_run(labels=QUEUED), observed, NOW).ask_queue == ("job-0" if asked else None)


def test_a_run_that_its_user_suspends_is_no_matter_of_the_queue() -> None:
    assert decide(a_run(labels=QUEUED, suspend=True), HELD, NOW).ask_queue is None


@pytest.mark.parametrize(("age", "pause"), [(0, 5), (5, 5), (20, 20), (60, 60), (86_400, 60)])
def test_it_is_asked_less_often_the_longer_it_takes(age: int, pause: int) -> None:
    run, observed = a_run(labels=QUEUED), answered(created(-age), at(0.7))
    assert decide(run, observed, at(1)).look_again == at(pause)
    assert decide(run, observed, at(pause - 0.1)).ask_queue is None
    assert decide(run, observed, at(pause)).ask_queue == "job-0"


def test_a_run_that_has_been_preempted_says_what_the_queue_says_of_its_present_rayjob() -> None:
    run = a_run(status={"attempts": [entry(admitted=True)], "observedGeneration": 1}, labels=QUEUED)
    for uid, words in (("job-0", 'again by queue "ml": no room'), ("job-9", 'again by queue "ml".')):
        written = decide(run, answered(HELD, NOW, "no room", uid), NOW).status or {}
        assert written["attempts"][0]["preemptions"] == 1
        for kind in ("Admitted", "PodsReady"):
            (found,) = (condition for condition in written["conditions"] if condition["type"] == kind)
            assert (found["status"], found["reason"]) == ("False", "Preempted")
            assert found["message"].endswith(words)
