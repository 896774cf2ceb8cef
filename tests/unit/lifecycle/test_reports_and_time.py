"""What training reports, and how a run's time is accounted for and limited."""

from __future__ import annotations

from typing import Any

import pytest
from seen_objects import (
    NOTHING,
    NOW,
    QUEUED,
    UID,
    a_run,
    after_look,
    at,
    entry,
    seen,
    settled,
    status,
    status_of,
    text_of,
)

from trainingrun.observed import Observed, RunObject

CLAIM = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt"}}


def reported(seconds: float = -5, stall: object = None, **metrics: str) -> dict[str, Any]:
    listed = [{"name": name, "value": value} for name, value in metrics.items()]
    data = {} if stall is None else {"dataStatus": {"stallPercentage": stall}}
    return {"trainerStatus": {"metrics": listed, "lastUpdatedTime": text_of(at(seconds))}, **data}


def starved(run: RunObject) -> tuple[str, str]:
    listed = status_of(run, seen("Running"), NOW)["conditions"]
    found = next(condition for condition in listed if condition["type"] == "DataStarved")
    return found["status"], found["reason"]


def running(*, report: dict[str, Any] | None = None, **spec: Any) -> RunObject:
    return a_run(status={**status(entry()), **(report or {})}, **spec)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (reported(stall=21), ("True", "StallAboveLimit")),
        (reported(stall=20), ("False", "StallBelowLimit")),
        (reported(dataStallPercentage="55.5"), ("True", "StallAboveLimit")),
        (reported(stall=5, dataStallPercentage="55.5"), ("False", "StallBelowLimit")),
        (reported(), ("Unknown", "NoReport")),
        (reported(-300, stall=90), ("Unknown", "NoReport")),
        (reported(stall=True), ("Unknown", "NoReport")),
        (reported(dataStallPercentage="nan"), ("Unknown", "NoReport")),
        (reported(dataStallPercentage="much"), ("Unknown", "NoReport")),
        ({}, ("Unknown", "NoReport")),
    ],
    ids=[
        "above",
        "at the limit",
        "as a metric",
        "both",
        "none",
        "an earlier attempt's",
        "bool",
        "nan",
        "words",
        "never",
    ],
)
def test_trainers_that_wait_for_data_are_told(report: dict[str, Any], expected: tuple[str, str]) -> None:
    assert starved(running(report=report)) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Growing from 1 to 2 data nodes.", "more than 20 % of the time. Growing from 1 to 2 data nodes."),
        (None, "more than 20 % of the time; see dataStatus.cause."),
        (7, "more than 20 % of the time; see dataStatus.cause."),
    ],
)
def test_what_is_done_about_it_is_told_too(reason: object, expected: str) -> None:
    report = reported(stall=50)
    report["dataStatus"]["reason"] = reason
    listed = status_of(running(report=report), seen("Running"), NOW)["conditions"]
    found = next(condition for condition in listed if condition["type"] == "DataStarved")
    assert found["message"].endswith(expected)


@pytest.mark.parametrize(
    ("storage", "uri"),
    [
        ({"uri": "s3://acme/runs/"}, f"s3://acme/runs/{UID}/step-9"),
        (CLAIM, f"pvc://models/{UID}/step-9"),
        ({**CLAIM, "runName": "digits-1"}, "pvc://models/digits-1/step-9"),
    ],
)
def test_the_newest_checkpoint_is_where_the_storage_is(storage: dict[str, Any], uri: str) -> None:
    written = status_of(running(report=reported(checkpoint="step-9"), storage=storage), seen("Running"), NOW)
    assert written["outputs"] == {"folderURI": uri.removesuffix("/step-9"), "last": {"uri": uri}}


def test_checkpoints_are_told_with_their_step_and_metrics() -> None:
    last, best = "step-00000120-e00002a0g1", "step-00000060-e00001a0g1"
    told = {
        "checkpoint": last,
        "checkpoint.loss": "0.25",
        "bestCheckpoint": best,
        "bestCheckpoint.loss": "0.2",
        "bestCheckpoint.validation_accuracy": "0.97",
        "loss": "0.3",
    }
    written = status_of(running(report=reported(**told), storage={"uri": "s3://acme/runs"}), seen("Running"), NOW)
    folder = f"s3://acme/runs/{UID}"
    accuracy = {"name": "validation_accuracy", "value": "0.97"}
    assert written["outputs"] == {
        "folderURI": folder,
        "last": {"uri": f"{folder}/{last}", "step": 120, "metrics": [{"name": "loss", "value": "0.25"}]},
        "best": {"uri": f"{folder}/best", "step": 60, "metrics": [{"name": "loss", "value": "0.2"}, accuracy]},
    }


def test_an_attempt_that_goes_on_from_a_checkpoint_keeps_its_metrics_and_the_best_one() -> None:
    name = "step-00000120-e00002a0g1"
    told = after_look(
        running(report=reported(**{"checkpoint": name, "checkpoint.loss": "0.25", "bestCheckpoint": name})),
        seen("Running"),
    )
    again = a_run(status={**told.status, **reported(checkpoint=name)})
    assert status_of(again, seen("Running"), NOW)["outputs"] == told.status["outputs"]


@pytest.mark.parametrize("name", ["step-99999999999999-e00001a0g1", "x" * 1024, "step-9"])
def test_a_checkpoint_of_any_name_is_told_without_a_step(name: str) -> None:
    written = status_of(running(report=reported(checkpoint=name)), seen("Running"), NOW)["outputs"]["last"]
    assert written["uri"].endswith(f"/{name}") and "step" not in written


def test_a_checkpoint_outlives_the_report_that_told_of_it() -> None:
    told = after_look(running(report=reported(checkpoint="step-9")), seen("Running"))
    silent = a_run(status={name: value for name, value in told.status.items() if name != "trainerStatus"})
    assert status_of(silent, seen("Running"), NOW)["outputs"] == told.status["outputs"]


def test_the_digest_of_a_run_s_code_is_told_from_the_first_look_on() -> None:
    code = {"uri": "s3://acme/code.tar.gz", "sha256": "0a" * 32}
    for run in (a_run(code=code), running(report={}, code=code)):
        assert status_of(run, Observed(), NOW)["provenance"] == {"codeDigest": f"sha256:{'0a' * 32}"}
    assert "provenance" not in status_of(a_run(), Observed(), NOW)


@pytest.mark.parametrize(("seconds", "expected"), [(-5, "step-8"), (-300, None)], ids=["its own", "an earlier one's"])
def test_an_attempt_tells_where_it_went_on_from(seconds: float, expected: str | None) -> None:
    run = running(report=reported(seconds, resumedFrom="step-8"))
    assert status_of(run, seen("Running"), NOW)["attempts"][0].get("resumedFrom") == expected


@pytest.mark.parametrize(
    "trainer",
    [3, [], {"metrics": 3}, {"metrics": [None, {"name": 1, "value": 2}]}, {"lastUpdatedTime": "yesterday"}, None],
)
def test_a_report_that_cannot_be_read_is_none(trainer: Any) -> None:
    written = status_of(running(report={"trainerStatus": trainer, "dataStatus": trainer}), seen("Running"), NOW)
    assert (written["state"], written["outputs"]) == ("Running", {"folderURI": f"s3://acme/runs/{UID}"})


STORY: list[tuple[float, Observed, str]] = [
    (0, seen("Queued"), "queuedSeconds"),
    (100, seen("Starting", ready=False), "startupSeconds"),
    (120, seen("Running"), "trainingSeconds"),
    (420, seen("Failed", exit_code=14), "restartingSeconds"),
    (440, seen("Queued", 1), "queuedSeconds"),
    (1440, seen("Running", 1), "trainingSeconds"),
    (1500, seen("Complete", 1), ""),
]


def test_every_second_is_accounted_for_once() -> None:
    run = a_run(labels=QUEUED)
    for seconds, observed, _ in STORY:
        run = after_look(run, observed, at(seconds))
    assert run.status["usage"] == {
        "queuedSeconds": 1100,
        "startupSeconds": 20,
        "trainingSeconds": 360,
        "restartingSeconds": 20,
        "suspendedSeconds": 0,
        "activeSeconds": 400,
    }


def test_a_run_that_just_goes_on_has_the_same_account() -> None:
    run = after_look(a_run(), seen("Running"))
    assert status_of(run, seen("Running"), at(1000))["usage"] == run.status["usage"]


def test_a_clock_that_was_set_back_takes_no_time_away() -> None:
    run = after_look(a_run(), seen("Running"), at(500))
    back = status_of(run, seen("Failed", exit_code=14), at(0))["usage"]
    assert (back["trainingSeconds"], back["activity"]) == (0, "Restarting")


@pytest.mark.parametrize(
    ("activity", "observed", "labels", "is_over"),
    [
        ("Training", seen("Running"), None, True),
        ("Startup", seen("Starting", ready=False), None, True),
        ("Restarting", NOTHING, None, True),
        ("Queued", seen("Queued"), QUEUED, False),
    ],
)
def test_time_at_machines_is_limited_and_time_in_a_queue_is_not(
    activity: str, observed: Observed, labels: dict[str, str] | None, is_over: bool
) -> None:
    usage = {"activity": activity, "since": text_of(NOW), "activeSeconds": 50}
    outcome = "Pending" if activity == "Queued" else "Running"
    run = a_run(labels=labels, status=status(entry(0, outcome), usage=usage), activeDeadlineSeconds=100)
    assert status_of(run, observed, at(49))["state"] != "Failed"
    assert (settled(run, observed, at(50))["state"] == "Failed") == is_over


def test_a_run_over_its_limit_fails_for_good_and_says_which_limit() -> None:
    usage = {"activity": "Training", "since": text_of(NOW)}
    run = a_run(status=status(entry(), usage=usage), activeDeadlineSeconds=100)
    (attempt,) = settled(run, seen("Running"), at(100))["attempts"]
    assert (attempt["failureClass"], attempt["counted"], "retryTime" in attempt) == ("DeadlineExceeded", False, False)
    assert attempt["message"].endswith("activeDeadlineSeconds, which is 100")


def test_a_run_between_two_attempts_is_limited_too() -> None:
    usage = {"activity": "Restarting", "since": text_of(NOW), "activeSeconds": 95}
    failed = entry(0, "Failed", failureClass="Infrastructure", retryTime=text_of(at(300)))
    run = a_run(status=status(failed, usage=usage), activeDeadlineSeconds=100)
    written = settled(run, NOTHING, at(40))
    assert (written["state"], len(written["attempts"])) == ("Failed", 1)


def test_success_at_the_last_moment_is_success() -> None:
    usage = {"activity": "Training", "since": text_of(NOW)}
    run = a_run(status=status(entry(), usage=usage), activeDeadlineSeconds=100)
    assert status_of(run, seen("Complete"), at(5000))["state"] == "Complete"
