"""What is deleted of a run: only what status says has ended, RayJobs before RayClusters, and each by its uid."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

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
    text_of,
    verdict,
)

from trainingrun.lifecycle import decide
from trainingrun.lifecycle.deletions import ObjectReference
from trainingrun.observed import Observed, RunObject

FAILED = entry(0, "Failed", failureClass="Infrastructure", endTime=text_of(NOW), retryTime=text_of(at(10)))
FINAL = entry(0, "Failed", failureClass="UserError", endTime=text_of(NOW))
DONE = entry(0, "Complete", endTime=text_of(NOW))
HANG = entry(0, "Failed", failureClass="Hang", endTime=text_of(NOW))


def deleted(run: RunObject, observed: Observed, now: datetime = NOW) -> list[str]:
    return [f"{reference.kind} {reference.uid}" for reference in decide(run, observed, now).delete]


def test_an_object_is_named_by_its_uid_too() -> None:
    run, observed = a_run(status=status(FAILED)), seen("Failed")
    (reference,) = decide(run, observed, NOW).delete
    assert reference == ObjectReference("RayJob", "training", observed.ray_jobs[0].name, "job-0")


@pytest.mark.parametrize(
    ("what", "run", "observed", "expected"),
    [
        ("a running attempt stays", a_run(status=status(entry(0))), seen("Running"), []),
        ("a queued attempt stays", a_run(labels=QUEUED), seen("Queued"), []),
        ("a failed attempt goes", a_run(status=status(FAILED)), seen("Failed"), ["RayJob job-0"]),
        ("it is deleted once", a_run(status=status(FAILED)), seen("Failed", deleting=True), []),
        (
            "its cluster goes by itself when nobody else is left to delete it",
            a_run(status=status(FAILED)),
            Observed(ray_clusters=(cluster(),)),
            ["RayCluster cluster-0"],
        ),
        ("pods are never deleted", a_run(status=status(FAILED)), Observed(pods=pods()), []),
        ("suspension ends a running attempt", a_run(suspend=True, status=status(entry())), seen(), ["RayJob job-0"]),
        (
            "suspension ends a queued attempt",
            a_run(suspend=True, labels=QUEUED, status=status(entry(0, "Pending"))),
            seen("Queued"),
            ["RayJob job-0"],
        ),
        (
            "an attempt before the newest goes",
            a_run(status=status(FAILED, entry(1))),
            Observed((job("Running", 0), job("Running", 1))),
            ["RayJob job-0"],
        ),
        (
            "with the cluster of one whose RayJob is gone",
            a_run(status=status(FAILED, entry(1))),
            Observed((job("Running", 1),), (cluster(0), cluster(1))),
            ["RayCluster cluster-0"],
        ),
        (
            "a RayJob of ours that no attempt can claim goes",
            a_run(status=status(entry(0))),
            Observed((job(), job("New", attempt=-1, uid="stray", name="stray"))),
            ["RayJob stray"],
        ),
        (
            "a second RayJob of an attempt goes",
            a_run(status=status(entry(0))),
            Observed((job(), job("Running", uid="copy", name="copy"))),
            ["RayJob copy"],
        ),
        (
            "a stranger's RayJob stays, whatever its labels say",
            a_run(status=status(FAILED)),
            Observed((job("Failed", uid="other", owner_uid="somebody"), job("Failed", uid="free", owner_uid=None))),
            [],
        ),
        (
            "a stranger's RayCluster stays",
            a_run(status=status(FAILED)),
            Observed(ray_clusters=(cluster(run_uid="other"),)),
            [],
        ),
        ("a finished run keeps its RayJob", a_run(status=verdict("Failed", "UserError", FINAL)), seen("Failed"), []),
        (
            "one that the operator gave up while KubeRay goes on is ended",
            a_run(status=verdict("Failed", "Hang", HANG)),
            seen("Running"),
            ["RayJob job-0"],
        ),
        (
            "one that KubeRay does not accept is of no use",
            a_run(status=verdict("Failed", "InvalidConfig", FINAL)),
            Observed((job("Failed", deployment_status="ValidationFailed"),)),
            ["RayJob job-0"],
        ),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_what_goes_and_what_stays(what: str, run: RunObject, observed: Observed, expected: list[str]) -> None:
    assert deleted(run, observed) == expected


@pytest.mark.parametrize(
    ("kind", "attempt", "labels", "seconds"),
    [
        ("Complete", DONE, None, 40),
        ("Failed", FINAL, None, 90),
        ("Complete", DONE, QUEUED, 0),
        ("Failed", FINAL, QUEUED, 0),
    ],
    ids=["success", "failure", "success in a queue", "failure in a queue"],
)
def test_the_cluster_of_a_finished_run_goes_when_its_time_is_over(
    kind: str, attempt: dict[str, object], labels: dict[str, str] | None, seconds: int
) -> None:
    ttl = {"onSuccess": 40, "onFailure": 90}
    run = a_run(labels=labels, status=verdict(kind, "x", attempt), clusterTTLSecondsAfterFinished=ttl)
    phase = "Complete" if kind == "Complete" else "Failed"
    assert deleted(run, seen(phase), at(seconds - 1)) == []
    assert deleted(run, seen(phase), at(seconds)) == ["RayCluster cluster-0"]


def test_without_a_field_success_gives_the_machines_back_at_once_and_failure_after_ten_minutes() -> None:
    complete = a_run(status=verdict("Complete", "TrainingComplete", DONE))
    failed = a_run(status=verdict("Failed", "UserError", FINAL))
    assert deleted(complete, seen("Complete")) == ["RayCluster cluster-0"]
    assert deleted(failed, seen("Failed"), at(599)) == []
    assert deleted(failed, seen("Failed"), at(600)) == ["RayCluster cluster-0"]


def test_the_cluster_stays_while_kuberay_would_make_it_anew() -> None:
    """First its RayJob has to be gone."""
    run = a_run(status=verdict("Failed", "Hang", HANG), clusterTTLSecondsAfterFinished={"onFailure": 0})
    assert deleted(run, seen("Running", deleting=True), at(1)) == []
    assert deleted(run, Observed(ray_clusters=(cluster(),)), at(1)) == ["RayCluster cluster-0"]


def test_a_suspension_lets_the_attempt_end_before_anything_else_happens() -> None:
    """Pods save a checkpoint while KubeRay deletes them; a change of mind meanwhile does not stop that."""
    run = after_look(a_run(suspend=True, status=status(entry(0))), seen("Running"))
    assert deleted(run, seen("Running")) == ["RayJob job-0"]
    going = Observed((job(deleting=True),), (cluster(deleting=True),), (pod("head", deleting=True),))
    assert decide(run, going, at(5)).delete == ()
    resumed = replace(run, run=a_run().run, spec=a_run().spec)
    still = after_look(resumed, going, at(6))
    assert (still.status["state"], decide(still, going, at(6)).create) == ("Suspending", None)
    ended = after_look(still, NOTHING, at(60))
    assert [attempt["outcome"] for attempt in ended.status["attempts"]] == ["Suspended", "Pending"]


def test_a_head_that_was_lost_too_often_ends_the_attempt() -> None:
    run = after_look(a_run(status=status(entry(0), failures=3), backoffLimit=3), seen("Running"))
    replaced = Observed((job(),), (cluster(),), (pod("head", name="second"), *pods()[1:]))
    lost = after_look(run, replaced, at(60))
    assert lost.status["attempts"][0]["failureClass"] == "HeadLost"
    assert deleted(lost, replaced, at(60)) == ["RayJob job-0"]
