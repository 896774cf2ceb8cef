"""Each condition says why, in the words of whoever knows; its time is that of its last change of status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from condition_words import condition, said
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
    seen,
    status,
    status_of,
    text_of,
    waits,
)

from trainingrun.contract.failure_class import FailureClass
from trainingrun.observed import Observed, RunObject
from trainingrun.status.conditions import Reason

FAILED = entry(0, "Failed", failureClass="Infrastructure", counted=True, retryTime=text_of(at(40)))
SCHEDULER = "0/7 nodes are available: 7 Insufficient nvidia.com/gpu. preemption: not eligible."
# As the scheduler writes it.
NO_CLAIM = pod(
    "trainer", name="t", ready=False, unschedulable='0/3 nodes: persistentvolumeclaim "x" not found. not found'
)
WAITING_FOR_NODE = pod("trainer", name="t", ready=False, unschedulable=SCHEDULER)
WAITING_FOR_IMAGE = pod("head", name="h", ready=False, waiting=waits("ImagePullBackOff", "connection refused"))
CRASHING = pod(
    "data", name="d", ready=False, waiting=waits("CrashLoopBackOff", "back-off 10s restarting failed container")
)


def starting(*seen_pods: Any, **fields: Any) -> Observed:
    return Observed((job("Starting"),), (cluster(**fields),), seen_pods)


CASES: list[tuple[str, RunObject, Observed, str, tuple[str, str, str]]] = [
    ("Accepted", a_run(), NOTHING, "a valid spec", ("True", "Valid", "The spec is valid.")),
    ("Admitted", a_run(), NOTHING, "nothing yet", ("False", "NotCreated", "Attempt 0 is about to be created.")),
    ("Admitted", a_run(), seen("New"), "no queue", ("True", "NotQueued", "The run uses no queue.")),
    ("Admitted", a_run(labels=QUEUED), seen("New"), "admitted", ("True", "QuotaReserved", 'Queue "ml" has admitted')),
    ("Admitted", a_run(labels=QUEUED), seen("Queued"), "queued", ("False", "Queued", 'to be admitted by queue "ml"')),
    (
        "Admitted",
        a_run(status=status(entry()), labels=QUEUED),
        seen("Queued"),
        "preempted by the queue",
        ("False", "Preempted", 'to be admitted again by queue "ml"'),
    ),
    (
        "Admitted",
        a_run(),
        seen("Queued"),
        "a queue that the run does not name",
        ("False", "Queued", "the run has no label kueue.x-k8s.io/queue-name"),
    ),
    ("Admitted", a_run(suspend=True), NOTHING, "suspended", ("False", "Suspended", "set it to false to continue")),
    ("PodsReady", a_run(), seen("Running"), "all pods", ("True", "AllPodsReady", "The head and all workers")),
    ("PodsReady", a_run(), starting(), "no pod yet", ("False", "PodsStarting", "0 of 3 pods are ready.")),
    (
        "PodsReady",
        a_run(),
        starting(NO_CLAIM),
        "no claim",
        ("False", "Unschedulable", 'Pod t: 0/3 nodes: persistentvolumeclaim "x" not found.'),
    ),
    ("PodsReady", a_run(), starting(WAITING_FOR_NODE), "no node", ("False", "Unschedulable", f"Pod t: {SCHEDULER}")),
    (
        "PodsReady",
        a_run(),
        starting(WAITING_FOR_IMAGE),
        "no image",
        ("False", "ImagePull", "Pod h: ImagePullBackOff: connection refused"),
    ),
    (
        "PodsReady",
        a_run(),
        starting(CRASHING),
        "a crash",
        ("False", "ContainerError", "Pod d: CrashLoopBackOff: back-"),
    ),
    (
        "PodsReady",
        a_run(),
        starting(replace(CRASHING, terminations=ended_container("Error", 1, message="at line 3\nValueError: no\n"))),
        "what a container said before its end",
        ("False", "ContainerError", "; container ray-worker ended with exit code 1: Error: ValueError: no"),
    ),
    (
        "PodsReady",
        a_run(),
        starting(WAITING_FOR_NODE, CRASHING, WAITING_FOR_IMAGE),
        "several problems",
        ("False", "ImagePull", "Pod h"),
    ),
    (
        "PodsReady",
        a_run(),
        starting(WAITING_FOR_NODE, replica_failure=("FailedCreate", "pods x is forbidden: exceeded quota: gpus")),
        "a quota that KubeRay met",
        ("False", "QuotaExceeded", "exceeded quota: gpus"),
    ),
    (
        "PodsReady",
        a_run(),
        starting(replace(WAITING_FOR_NODE, deleting=True)),
        "a pod on its way out waits for nothing",
        ("False", "PodsStarting", "0 of 3"),
    ),
    (
        "PodsReady",
        a_run(),
        seen("New", created=at(-60)),
        "KubeRay does nothing",
        ("False", "RayUnavailable", "is its operator running"),
    ),
    ("PodsReady", a_run(), seen("New", created=at(-59)), "KubeRay takes its time", ("False", "PodsStarting", "0 of 3")),
    (
        "PodsReady",
        a_run(status=status(FAILED)),
        NOTHING,
        "back-off",
        ("False", "Restarting", "ended (Infrastructure); the next one follows at 2026-09-01 12:00:40 UTC."),
    ),
    (
        "PodsReady",
        a_run(status=status(FAILED)),
        Observed(pods=(pod("trainer", name="t", deleting=True),)),
        "a pod that does not end",
        ("False", "Restarting", "the next one waits for pod t on node node-1 to end."),
    ),
    (
        "PodsReady",
        a_run(suspend=True, status=status(entry())),
        Observed(pods=(pod(name="a", deleting=True), pod(name="b", deleting=True))),
        "suspending",
        ("False", "Suspending", "Waiting for pod a on node node-1 and others to end."),
    ),
    ("PodsReady", a_run(status=status(entry())), NOTHING, "no RayJob", ("False", "Restarting", "cannot be found.")),
    (
        "PodsReady",
        a_run(),
        Observed(ray_jobs=(job("New", uid="s", owner_uid="somebody"),)),
        "a name that is taken",
        ("False", "NameConflict", "is not this run's"),
    ),
    ("Suspended", a_run(suspend=True), NOTHING, "suspended", ("True", "Suspended", "all pods are gone")),
    (
        "Suspended",
        a_run(suspend=True, status=status(entry())),
        seen("Running"),
        "suspending",
        ("False", "Suspending", "saves a checkpoint"),
    ),
    ("Reconciling", a_run(), NOTHING, "pending", ("True", "Pending", "Attempt 0 is about to be created.")),
    ("Reconciling", a_run(), seen("Running"), "training", ("True", "Training", "Attempt 0 is training.")),
    ("Reconciling", a_run(), starting(WAITING_FOR_NODE), "what all waits for", ("True", "Starting", SCHEDULER)),
    ("Reconciling", a_run(suspend=True), NOTHING, "suspended", ("False", "Suspended", "spec.suspend is true.")),
    ("Stalled", a_run(), NOTHING, "all is well", ("False", "Progressing", "No action is needed.")),
    (
        "Complete",
        a_run(status=status(entry())),
        seen("Complete"),
        "complete",
        ("True", "TrainingComplete", "Training completed in attempt 0."),
    ),
    (
        "Failed",
        a_run(status=status(entry())),
        seen("Failed", exit_code=13, message="KeyError: 3"),
        "not tried again",
        ("True", "UserError", "Attempt 0 failed: KeyError: 3"),
    ),
    (
        "Failed",
        a_run(status=status(entry()), backoffLimit=0),
        seen("Failed", reason="SubmissionFailed"),
        "tried too often",
        ("True", "Infrastructure", "Attempt 0 failed, and backoffLimit allows only 0 failed attempts: Submission"),
    ),
]


@pytest.mark.parametrize(
    ("kind", "run", "observed", "what", "expected"), CASES, ids=[f"{case[0]}, {case[3]}" for case in CASES]
)
def test_a_condition_says_why(
    kind: str, run: RunObject, observed: Observed, what: str, expected: tuple[str, str, str]
) -> None:
    seen_before = after_look(run, observed, at(-10)) if kind == "Failed" else run
    holds, reason, words = said(seen_before, observed, kind)
    assert (holds, reason) == expected[:2] and expected[2] in words


def test_every_reason_of_these_cases_is_documented() -> None:
    assert {case[4][1] for case in CASES} <= {*map(str, Reason), *map(str, FailureClass)}


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        (seen("Starting", ready=False), seen("Running"), True),
        (seen("Starting", ready=False), starting(WAITING_FOR_NODE), False),
        (seen("Running"), seen("Running"), False),
    ],
    ids=["another status", "another reason only", "the same"],
)
def test_a_condition_keeps_its_time_until_its_status_changes(before: Observed, after: Observed, moves: bool) -> None:
    first = after_look(a_run(), before)
    second = status_of(first, after, at(70))
    time = condition(second, "PodsReady")["lastTransitionTime"]
    assert time == text_of(at(70) if moves else NOW)
