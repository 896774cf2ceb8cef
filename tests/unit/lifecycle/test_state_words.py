"""Where a run stands in one word, the counts beside it, and that looking twice changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace

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
    pod,
    pods,
    seen,
    status,
    status_of,
    suspected,
    text_of,
    verdict,
)

from trainingrun.errors import Problem
from trainingrun.lifecycle.new_status import written_part
from trainingrun.observed import Observed, RunObject
from trainingrun.status.conditions import ConditionType

INVALID = replace(a_run(), run=None, problems=(Problem("spec.image", "nothing", "an image"),))
FAILED = entry(0, "Failed", failureClass="Infrastructure", counted=True, retryTime=text_of(at(40)))
COMPLETE = verdict("Complete", "TrainingComplete", entry(0, "Complete"))
STATES: list[tuple[str, str, RunObject, Observed]] = [
    ("just submitted", "Pending", a_run(), NOTHING),
    ("recorded and not seen", "Pending", after_look(a_run(), NOTHING), NOTHING),
    ("refused", "Pending", a_run(), Observed(refusal=("Forbidden", "exceeded quota"))),
    ("in a queue", "Queued", a_run(labels=QUEUED), seen("Queued")),
    ("admitted", "Starting", a_run(labels=QUEUED), seen("New")),
    ("pods start", "Starting", a_run(), seen("Starting", ready=False)),
    ("the driver runs", "Running", a_run(), seen("Running")),
    ("a worker is replaced while training", "Running", a_run(), Observed((job(),), (cluster(),), (pod("head"),))),
    ("its head is replaced", "Restarting", a_run(status=status(entry())), Observed((job(),), (cluster(),), ())),
    ("its new head starts", "Restarting", a_run(status=status(entry())), seen("Running", ready=False)),
    ("taken away by the queue", "Queued", a_run(status=status(entry()), labels=QUEUED), seen("Queued")),
    ("failed, and tried again", "Restarting", a_run(status=status(entry())), seen("Failed", reason="SubmissionFailed")),
    ("waits for its back-off", "Restarting", a_run(status=status(FAILED)), NOTHING),
    ("its RayJob is not to be found", "Restarting", a_run(status=status(entry())), NOTHING),
    ("to be suspended", "Suspending", a_run(status=status(entry()), suspend=True), seen("Running")),
    (
        "its last pod saves",
        "Suspending",
        a_run(status=status(entry(0, stopping=True)), suspend=True),
        Observed(pods=(pod(deleting=True),)),
    ),
    ("suspended", "Suspended", a_run(status=status(entry(0, stopping=True)), suspend=True), NOTHING),
    ("suspended from the start", "Suspended", a_run(suspend=True), NOTHING),
    ("resumed too late to stop the end", "Suspending", a_run(status=status(entry(0, stopping=True))), seen("Running")),
    ("complete", "Complete", a_run(status=status(entry())), seen("Complete")),
    ("complete although to be suspended", "Complete", a_run(status=status(entry()), suspend=True), seen("Complete")),
    (
        "failed for good",
        "Failed",
        a_run(status=status(entry(), suspected=suspected("UserError", has_ended=True))),
        seen("Failed", exit_code=13),
    ),
    ("failed, and its pods may speak", "Running", a_run(status=status(entry())), seen("Failed", exit_code=13)),
    ("complete, and all is gone", "Complete", a_run(status=COMPLETE), NOTHING),
    ("complete, and suspended afterwards", "Complete", a_run(status=COMPLETE, suspend=True), NOTHING),
    ("invalid", "Invalid", INVALID, NOTHING),
    ("invalid only for this version, and complete", "Complete", replace(INVALID, status=COMPLETE), NOTHING),
]
IDS = [state[0] for state in STATES]


@pytest.mark.parametrize(("what", "expected", "run", "observed"), STATES, ids=IDS)
def test_the_state_says_where_the_run_stands(what: str, expected: str, run: RunObject, observed: Observed) -> None:
    assert status_of(run, observed, NOW)["state"] == expected


@pytest.mark.parametrize(("what", "expected", "run", "observed"), STATES, ids=IDS)
def test_a_second_look_at_the_same_changes_nothing(
    what: str, expected: str, run: RunObject, observed: Observed
) -> None:
    """Nothing is written while nothing happens, however much time passes before something is due."""
    first = after_look(run, observed)
    settled = after_look(first, observed)
    for seconds in (0, 1, 4):
        assert status_of(settled, observed, at(seconds)) == written_part(settled.status)


@pytest.mark.parametrize(("what", "expected", "run", "observed"), STATES, ids=IDS)
def test_every_condition_is_there_from_the_first_look_and_is_of_this_generation(
    what: str, expected: str, run: RunObject, observed: Observed
) -> None:
    written = status_of(replace(run, generation=4), observed, NOW)
    assert [condition["type"] for condition in written["conditions"]] == list(ConditionType)
    assert {condition["observedGeneration"] for condition in written["conditions"]} == {4}
    assert written["observedGeneration"] == 4


@pytest.mark.parametrize(("what", "expected", "run", "observed"), STATES, ids=IDS)
def test_kstatus_can_tell_whether_to_wait(what: str, expected: str, run: RunObject, observed: Observed) -> None:
    written = {entry["type"]: entry["status"] for entry in status_of(run, observed, NOW)["conditions"]}
    at_rest = expected in ("Suspended", "Complete", "Failed", "Invalid")
    assert (written["Reconciling"] == "True") == (not at_rest)
    assert (written["Stalled"] == "True") == (expected in ("Failed", "Invalid"))


def test_a_status_is_plain_json() -> None:
    written = status_of(a_run(status=status(entry())), seen("Running"), NOW)
    assert json.loads(json.dumps(written)) == written


def test_a_run_that_is_being_deleted_keeps_what_was_written() -> None:
    before = {**status(entry(0)), "trainerStatus": {"progressPercentage": 3}, "dataStatus": {"readyNodes": 2}}
    kept = status_of(a_run(deleting=True, status=before), NOTHING, NOW)
    assert kept == {name: value for name, value in before.items() if name != "trainerStatus"}


def test_what_the_progress_endpoint_owns_is_not_compared() -> None:
    theirs = {"trainerStatus": {"progressPercentage": 3}, "dataStatus": {"stallPercentage": 4}}
    assert written_part({"state": "Running", **theirs}) == {"state": "Running"}
    both = {"dataStatus": {"readyNodes": 2, "stallPercentage": 4}}
    assert written_part(both) == {"dataStatus": {"readyNodes": 2}}


@pytest.mark.parametrize(
    ("spec", "observed", "pods"),
    [
        ({}, seen("Running"), "3/3"),
        ({}, seen("Starting", ready=False), "0/3"),
        ({"trainer": {"numNodes": 4}, "data": {"numNodes": 2}}, seen("Running"), "3/7"),
        ({}, Observed((job(),), (cluster(desired_workers=9),), pods()), "3/10"),
        ({}, Observed((job(),), (cluster(desired_workers=9, deleting=True), cluster(desired_workers=2)), ()), "0/3"),
        ({}, Observed((job(),), (cluster(),), (pod("head"), pod("trainer", deleting=True))), "1/3"),
        ({}, Observed((job(),), (cluster(),), (*pods(), pod("trainer", attempt=1))), "3/3"),
    ],
    ids=["all", "none", "as asked for", "grown by Ray", "of the newer cluster", "on its way out", "another attempt's"],
)
def test_ready_pods_are_counted(spec: dict[str, object], observed: Observed, pods: str) -> None:
    assert status_of(a_run(**spec), observed, NOW)["pods"] == pods


def test_a_run_that_is_over_counts_no_pods() -> None:
    assert "pods" not in status_of(a_run(status=status(entry())), seen("Complete"), NOW)


def test_data_pods_are_counted_by_themselves() -> None:
    observed = Observed((job(),), (cluster(),), (*pods(), pod("data", name="second")))
    assert status_of(a_run(), observed, NOW)["dataStatus"] == {"readyNodes": 2}


@pytest.mark.parametrize(
    ("url", "shown"),
    [("head.svc:8265", "http://head.svc:8265"), ("https://ray.acme", "https://ray.acme"), ("", None)],
)
def test_the_dashboard_is_linked_while_a_cluster_serves_it(url: str, shown: str | None) -> None:
    run = a_run(status=status(entry()))
    assert status_of(run, seen("Running", dashboard_url=url), NOW).get("links", {}).get("dashboardURL") == shown
    without = Observed((job(dashboard_url=url),))
    assert "links" not in status_of(run, without, NOW)


def test_times_are_those_of_the_first_start_and_of_the_end() -> None:
    started = after_look(a_run(), seen("Starting", ready=False))
    assert started.status["startTime"] == text_of(NOW)
    ended = after_look(started, seen("Complete", ended=at(50)), at(55))
    assert (ended.status["startTime"], ended.status["completionTime"]) == (text_of(NOW), text_of(at(50)))
    assert after_look(ended, NOTHING, at(900)).status["completionTime"] == text_of(at(50))


def test_time_in_a_queue_is_not_the_start() -> None:
    assert "startTime" not in status_of(a_run(labels=QUEUED), seen("Queued"), NOW)
