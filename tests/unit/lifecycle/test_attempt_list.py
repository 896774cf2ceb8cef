"""The attempts that a status lists: how each stands or ended, and which of them count against backoffLimit."""

from __future__ import annotations

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
    ended_container,
    entry,
    job,
    pod,
    pods,
    ray_said,
    seen,
    settled,
    status,
    status_of,
    text_of,
    waits,
)

from trainingrun.observed import Observed, Pod, RunObject


def newest(run: RunObject, observed: Observed, seconds: float = 0) -> dict[str, Any]:
    attempt: dict[str, Any] = status_of(run, observed, at(seconds))["attempts"][-1]
    return attempt


def running(**spec: Any) -> RunObject:
    return a_run(status=status(entry()), **spec)


def test_the_first_attempt_is_recorded_before_anything_exists() -> None:
    recorded = newest(a_run(), NOTHING)
    assert (recorded["index"], recorded["outcome"], recorded["recordedTime"]) == (0, "Pending", text_of(NOW))
    assert "rayJobUID" not in recorded


def test_the_uid_of_its_ray_job_is_remembered_once_it_is_seen() -> None:
    assert newest(after_look(a_run(), NOTHING), seen("New"))["rayJobUID"] == "job-0"


@pytest.mark.parametrize(
    ("observed", "outcome", "admitted"),
    [
        (seen("Queued"), "Pending", False),
        (seen("New"), "Pending", True),
        (seen("Starting", ready=False), "Pending", True),
        (seen("Running"), "Running", True),
    ],
    ids=["queued", "admitted", "starting", "running"],
)
def test_a_live_attempt_stands_where_its_ray_job_does(observed: Observed, outcome: str, admitted: bool) -> None:
    looked = newest(a_run(labels=QUEUED), observed)
    assert (looked["outcome"], looked["admitted"], "startTime" in looked) == (outcome, admitted, admitted)


def test_a_failed_attempt_keeps_all_that_is_known_of_its_end() -> None:
    ended = seen("Failed", ended=at(-3), **ray_said(14, "RayActorError: the node died"))
    crashed = pod("trainer", name="crashed", node="node-9", terminations=ended_container("Error", 139))
    looked = newest(running(), Observed(ended.ray_jobs, ended.ray_clusters, (*ended.pods, crashed)))
    assert {
        "outcome": "Failed",
        "failureClass": "Infrastructure",
        "exitCode": 14,
        "node": "node-9",
        "pod": "crashed",
        "message": "RayActorError: the node died",
        "endTime": text_of(at(-3)),
        "retryTime": text_of(at(10)),
        "counted": True,
    }.items() <= looked.items()


@pytest.mark.parametrize("ended", [at(900), at(-86_400), None], ids=["the future", "before its start", "unknown"])
def test_an_end_that_cannot_be_true_is_when_it_was_first_seen(ended: Any) -> None:
    assert settled(running(), seen("Failed", exit_code=13, ended=ended))["attempts"][-1]["endTime"] == text_of(NOW)


@pytest.mark.parametrize(
    ("before", "exit_code", "failures", "pause"),
    [(0, 14, 1, 10), (1, 14, 2, 20), (2, 14, 3, 40), (2, 11, 2, 10), (0, 11, 0, 10)],
    ids=["first", "second", "third", "preempted after two", "preempted"],
)
def test_the_pause_grows_with_the_failures_that_count(before: int, exit_code: int, failures: int, pause: int) -> None:
    run = a_run(status=status(entry(), failures=before))
    written = status_of(run, seen("Failed", exit_code=exit_code), NOW)
    assert written["failures"] == failures
    assert written["attempts"][-1]["retryTime"] == text_of(at(pause))


@pytest.mark.parametrize(
    ("before", "lasted", "pause"),
    [(0, 5, 10), (1, 5, 20), (3, 5, 80), (9, 5, 360), (3, 3600, 10)],
    ids=["first", "second", "fourth", "tenth", "after hours of training"],
)
def test_the_pause_grows_with_the_failures_in_a_row_that_do_not_count(before: int, lasted: int, pause: int) -> None:
    """Without a limit to their number, they would repeat every ten seconds for ever."""
    times = {"startTime": text_of(at(-lasted)), "endTime": text_of(NOW)}
    earlier = [entry(index, "Failed", failureClass="Preempted", counted=False, **times) for index in range(before)]
    run = a_run(status=status(*earlier, entry(before)))
    assert newest(run, seen("Failed", before, exit_code=11))["retryTime"] == text_of(at(pause))


def test_an_attempt_that_ended_is_never_looked_at_again() -> None:
    run = after_look(running(), seen("Failed", exit_code=14))
    for late in (seen("Complete"), seen("Running"), seen("Failed", exit_code=13), NOTHING):
        assert newest(run, late, 5) == run.status["attempts"][-1]


def test_only_the_last_ten_attempts_are_listed_and_their_numbers_go_on() -> None:
    entries = [entry(index, "Failed", failureClass="Preempted", retryTime=text_of(at(-1))) for index in range(20, 30)]
    listed = status_of(a_run(status=status(*entries)), NOTHING, NOW)["attempts"]
    assert [attempt["index"] for attempt in listed] == list(range(21, 31))


def test_an_attempt_that_status_forgot_is_taken_up_by_its_number() -> None:
    """No number is used twice, or two attempts of one name could live."""
    looked = status_of(a_run(), seen("Running", 6), NOW)["attempts"]
    assert [(attempt["index"], attempt["outcome"]) for attempt in looked] == [(6, "Running")]


def test_an_attempt_whose_end_nobody_saw_is_closed_when_a_later_one_exists() -> None:
    looked = status_of(running(), seen("Running", 1), NOW)["attempts"]
    assert [(attempt["outcome"], attempt.get("failureClass")) for attempt in looked] == [
        ("Failed", "Infrastructure"),
        ("Running", None),
    ]


def test_a_ray_job_that_vanished_counts_as_deleted_only_after_a_while() -> None:
    """A cache may lag behind: nothing is concluded from the first sight."""
    missing = after_look(running(), NOTHING)
    assert missing.status["suspected"]["until"] == text_of(at(30))
    assert newest(missing, NOTHING, 29)["outcome"] == "Running"
    gone = newest(missing, NOTHING, 30)
    assert (gone["outcome"], gone["failureClass"], gone["counted"]) == ("Failed", "Infrastructure", True)
    assert "suspected" not in status_of(missing, seen("Running"), at(30))


def test_a_ray_job_that_somebody_deletes_is_an_infrastructure_failure() -> None:
    ended = newest(running(), seen("Running", deleting=True))
    assert (ended["failureClass"], ended["message"]) == (
        "Infrastructure",
        f"RayJob {job().name} was deleted, but not by the operator",
    )


def test_success_counts_even_when_its_ray_job_is_being_deleted() -> None:
    assert newest(running(), seen("Complete", deleting=True))["outcome"] == "Complete"


def test_an_image_that_does_not_exist_ends_an_attempt_that_starts() -> None:
    broken = Observed((job("Starting"),), (cluster(),), (pod(ready=False, waiting=waits("ErrImagePull", "not found")),))
    assert settled(a_run(), broken)["attempts"][-1]["failureClass"] == "ImagePull"


def test_an_image_that_cannot_be_reached_does_not_end_it() -> None:
    waiting = Observed(
        (job("Starting"),), (cluster(),), (pod(ready=False, waiting=waits("ErrImagePull", "i/o timeout")),)
    )
    assert newest(a_run(), waiting)["outcome"] == "Pending"


def test_an_image_of_a_pod_that_joins_late_does_not_end_training() -> None:
    late = Observed(
        (job(),), (cluster(),), (*pods(), pod(name="x", ready=False, waiting=waits("ErrImagePull", "denied")))
    )
    assert newest(running(), late)["outcome"] == "Running"


@pytest.mark.parametrize(
    ("waiting", "failure_class"),
    [
        (pod(ready=False, unschedulable="0/3 nodes are available"), "Infrastructure"),
        (pod(ready=False, waiting=waits("ErrImagePull", "i/o timeout")), "ImagePull"),
    ],
    ids=["no node", "no image"],
)
def test_a_start_that_came_too_late_is_told_by_what_it_waited_for(waiting: Pod, failure_class: str) -> None:
    """The pods are gone when KubeRay gives up."""
    starting = after_look(a_run(), Observed((job("Starting"),), (cluster(),), (waiting,)))
    ended = Observed((job("Failed", reason="PreRunningDeadlineExceeded"),))
    late = settled(starting, ended, at(3600))["attempts"][-1]
    assert late["failureClass"] == failure_class
    assert late["message"].startswith("training did not start in time: Pod mnist-0-trainer: ")
