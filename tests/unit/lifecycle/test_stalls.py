"""Stalled is true where only a user can help, and Reconciling is not then: tools that wait for a run give up."""

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
    entry,
    job,
    pod,
    seen,
    status,
    status_of,
    text_of,
)

from trainingrun.lifecycle import decide
from trainingrun.observed import Observed, RunObject

PENDING = entry(0, "Pending", rayJobUID=None, recordedTime=text_of(NOW))
FAILED = entry(0, "Failed", failureClass="Infrastructure", endTime=text_of(NOW))
TAKEN = Observed(ray_jobs=(job("New", uid="s", owner_uid="somebody"),))
STUCK = Observed(pods=(pod("trainer", name="t", deleting=True, due=at(60)),))


def refused(reason: str, message: str) -> Observed:
    return Observed(refusal=(reason, message))


def stalled(run: RunObject, observed: Observed, seconds: float) -> tuple[str, str, str]:
    """The condition at that time; Reconciling must be its opposite, and say the same."""
    found = {each["type"]: each for each in status_of(run, observed, at(seconds))["conditions"]}
    stall, reconciling = found["Stalled"], found["Reconciling"]
    assert (stall["status"], reconciling["status"]) in (("True", "False"), ("False", "True"))
    if stall["status"] == "True":
        assert (reconciling["reason"], reconciling["message"]) == (stall["reason"], stall["message"])
    return stall["status"], stall["reason"], stall["message"]


@pytest.mark.parametrize(
    ("observed", "reason", "words"),
    [
        (refused("BadRequest", 'unknown field "nodeAffinty"'), "RenderRejected", 'unknown field "nodeAffinty"'),
        (refused("Invalid", "spec.x: Invalid value"), "RenderRejected", "spec.x: Invalid value"),
        (TAKEN, "NameConflict", "delete it, or create the run with a different name."),
    ],
)
def test_what_no_retry_can_change_stalls_a_run_at_once(observed: Observed, reason: str, words: str) -> None:
    holds, found, message = stalled(a_run(status=status(PENDING)), observed, 1)
    assert (holds, found) == ("True", reason) and words in message


@pytest.mark.parametrize(
    ("run", "observed", "reason", "due"),
    [
        (a_run(status=status(PENDING)), refused("Forbidden", "exceeded quota: gpus"), "QuotaExceeded", 3600),
        (a_run(status=status(PENDING)), refused("Forbidden", "admission webhook denied"), "AdmissionDenied", 3600),
        (a_run(status=status(PENDING)), refused("Teapot", "no"), "Refused", 3600),
        (a_run(status=status(FAILED)), STUCK, "PodStuck", 3660),
        (a_run(status=status(entry(0, stopping=True)), suspend=True), STUCK, "PodStuck", 3660),
        (a_run(status=status(entry())), seen("New", created=NOW), "RayUnavailable", 3600),
    ],
    ids=["quota", "webhook", "anything", "a pod of the attempt before", "a pod while suspending", "no KubeRay"],
)
def test_what_may_heal_stalls_a_run_once_it_has_lasted_an_hour(
    run: RunObject, observed: Observed, reason: str, due: float
) -> None:
    assert stalled(run, observed, due - 1)[:2] == ("False", "Progressing")
    assert stalled(run, observed, due)[:2] == ("True", reason)
    look = decide(run, observed, at(due - 1)).look_again
    assert look is not None and look <= at(due + 300)


def test_pods_that_the_api_server_refuses_are_an_invalid_configuration() -> None:
    """KubeRay tries until the start deadline; no other attempt would fare better."""
    words = 'Pod "mnist-head-x" is invalid: spec.containers[0].volumeMounts[1].mountPath: must be unique'
    starting = Observed((job("Starting"),), (cluster(replica_failure=("FailedCreateHeadPod", words)),))
    run = a_run(status=status(entry(0, "Pending", admitted=True, startTime=text_of(at(-30)))))
    assert stalled(run, starting, 1) == ("True", "RenderRejected", words)
    waited = after_look(run, starting, at(1))
    late = job("Failed", reason="PreRunningDeadlineExceeded", job_status="")
    for seconds in (3600, 3610, 3700):
        waited = after_look(waited, Observed((late,), (cluster(),)), at(seconds))
    attempt = waited.status["attempts"][0]
    assert (waited.status["state"], attempt["failureClass"]) == ("Failed", "InvalidConfig")
    assert words in attempt["message"]


def test_a_pod_that_does_not_go_is_named_with_its_node_and_what_to_do() -> None:
    words = stalled(a_run(status=status(FAILED)), STUCK, 3660)[2]
    assert words.startswith("Pod t on node node-1 was to be gone at 2026-09-01 12:01:00 UTC")
    assert "--force" in words


def test_a_stall_ends_with_what_caused_it() -> None:
    run = after_look(a_run(status=status(PENDING)), refused("BadRequest", "unknown field"))
    assert stalled(run, seen("Starting", ready=False), 9)[:2] == ("False", "Progressing")


@pytest.mark.parametrize(
    ("run", "observed"),
    [
        (a_run(labels=QUEUED, status=status(entry(0, "Pending"))), seen("Queued", created=NOW)),
        (a_run(status=status(entry())), Observed((*seen("Running").ray_jobs,), pods=(*STUCK.pods,))),
        (a_run(status=status(entry(0, "Pending", admitted=True))), seen("Starting", ready=False, created=NOW)),
    ],
    ids=["a queue", "a pod beside an attempt that trains", "a start, which has a deadline of its own"],
)
def test_what_goes_on_by_itself_is_no_stall(run: RunObject, observed: Observed) -> None:
    assert stalled(run, observed, 86_000)[:2] == ("False", "Progressing")


def test_a_suspended_run_waits_for_nothing() -> None:
    run: Any = a_run(suspend=True, status=status(PENDING))
    found = {each["type"]: each["status"] for each in status_of(run, NOTHING, at(9_000))["conditions"]}
    assert (found["Stalled"], found["Reconciling"]) == ("False", "False")
