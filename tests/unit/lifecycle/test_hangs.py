"""Silence is a hang only of an attempt that trains, that would be heard, and from the time on when it could be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from seen_objects import NOW, QUEUED, a_run, after_look, at, entry, pods, seen, settled, status, text_of

from trainingrun.observed import RunObject


def reported(seconds: float) -> dict[str, Any]:
    return {"trainerStatus": {"metrics": [], "lastUpdatedTime": text_of(at(seconds))}}


def running(report: dict[str, Any] | None = None, **spec: Any) -> RunObject:
    """A run that trains since NOW, of which 100 seconds without progress are a hang."""
    begun = status(entry(runningSince=text_of(NOW)))
    return a_run(status={**begun, **(report or {})}, progressDeadlineSeconds=100, **spec)


def newest(run: RunObject, seconds: float, **observed: Any) -> dict[str, Any]:
    attempt: dict[str, Any] = settled(run, replace(seen("Running"), **observed), at(seconds))["attempts"][-1]
    return attempt


@pytest.mark.parametrize("report", [reported(0), reported(-300), None], ids=["now", "an earlier attempt's", "never"])
@pytest.mark.parametrize(("seconds", "outcome"), [(99, "Running"), (100, "Failed")], ids=["in time", "too late"])
def test_an_attempt_that_is_silent_for_so_long_hangs(
    report: dict[str, Any] | None, seconds: float, outcome: str
) -> None:
    looked = newest(running(report), seconds)
    assert (looked["outcome"], looked.get("failureClass")) == (outcome, "Hang" if outcome == "Failed" else None)


@pytest.mark.parametrize(
    ("report", "end"),
    [
        (reported(0), "last report at 2026-09-01 12:00:00 UTC"),
        (reported(-20), "training runs since 2026-09-01 12:00:00 UTC"),
        (None, "training runs since 2026-09-01 12:00:00 UTC"),
    ],
)
def test_the_words_of_a_hang_tell_the_field_and_the_last_sign(report: dict[str, Any] | None, end: str) -> None:
    words = newest(running(report), 100)["message"]
    assert words == f"no progress was reported for 100 seconds (progressDeadlineSeconds); {end}"


@pytest.mark.parametrize(
    ("report", "outcome"), [(None, "Running"), (reported(-300), "Failed")], ids=["never", "an earlier attempt did"]
)
def test_a_program_of_ones_own_hangs_only_if_it_is_known_to_report(report: dict[str, Any] | None, outcome: str) -> None:
    run = running(report, recipe=None, trainer={"command": ["python", "train.py"]})
    assert newest(run, 86_400)["outcome"] == outcome


def test_an_attempt_that_does_not_train_yet_does_not_hang() -> None:
    starts = settled(running(reported(0)), seen("Starting", ready=False), at(86_400))["attempts"][0]
    assert (starts["outcome"], "runningSince" in starts) == ("Pending", False)


def test_an_attempt_that_gets_its_nodes_back_has_the_whole_time() -> None:
    """Its head is there at once, its trainers may take as long as an image takes."""
    run = a_run(status={**status(entry()), **reported(0)}, labels=QUEUED, progressDeadlineSeconds=100)
    taken = after_look(run, seen("Queued"), at(10))
    starting = after_look(taken, seen("Starting", ready=False), at(60))
    trains = after_look(starting, seen("Running"), at(400))
    assert trains.status["attempts"][0]["runningSince"] == text_of(at(400))
    assert newest(trains, 499)["outcome"] == "Running"
    assert newest(trains, 500)["failureClass"] == "Hang"


@pytest.mark.parametrize(
    ("since", "seconds", "outcome"),
    [(50, 149, "Running"), (50, 150, "Failed"), (None, 86_400, "Running")],
    ids=["after a gap, in time", "after a gap, too late", "nobody takes reports"],
)
def test_silence_says_nothing_while_no_report_could_arrive(since: float | None, seconds: float, outcome: str) -> None:
    """An operator that was down, or without an API server, must not end what went on training meanwhile."""
    listening = None if since is None else at(since)
    assert newest(running(reported(0)), seconds, reports_since=listening)["outcome"] == outcome


@pytest.mark.parametrize(
    ("others", "outcome"),
    [(None, "Failed"), (99, "Failed"), (62, "Failed"), (49, "Running"), (-10, "Running")],
    ids=["no other run", "others speak", "others spoke lately", "others are silent too", "others were silent first"],
)
def test_silence_of_everybody_is_nobodys_hang(others: float | None, outcome: str) -> None:
    heard = None if others is None else at(others)
    assert newest(running(reported(0)), 101, others_heard=heard)["outcome"] == outcome


def test_a_run_says_that_its_hang_would_not_be_noticed() -> None:
    def words(heard: float) -> str:
        observed = replace(seen("Running"), others_heard=at(heard))
        conditions = settled(running(reported(0)), observed, at(101))["conditions"]
        return next(str(found["message"]) for found in conditions if found["type"] == "Reconciling")

    assert words(-10) == "Attempt 0 is training. No report of any run arrives, so that a hang would not be noticed."
    assert "No report" not in words(99)


def test_a_new_head_gets_the_whole_time_again() -> None:
    second = replace(seen("Running"), pods=pods(name="second"))
    replaced = after_look(running(reported(0)), second, at(90))
    assert settled(replaced, second, at(189))["attempts"][0]["outcome"] == "Running"
    assert settled(replaced, second, at(190))["attempts"][0]["failureClass"] == "Hang"


def test_a_clock_that_was_set_back_does_not_prolong_the_time() -> None:
    ahead = a_run(status=status(entry(runningSince=text_of(at(9_000)))), progressDeadlineSeconds=100)
    assert newest(after_look(ahead, seen("Running")), 100)["failureClass"] == "Hang"
