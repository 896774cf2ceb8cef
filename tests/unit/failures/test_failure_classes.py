"""Each class of failure has its evidence, and of several pieces of evidence the one that says most decides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from seen_objects import NOW, a_run, at, ended_container, job, pod, ray_said, waits

from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import (
    Evidence,
    Failure,
    action_for,
    failure_of_ended,
    failure_of_live,
    head_failure,
    oldest_first,
)
from trainingrun.failures.pod_evidence import doubled_head, image_impossible, image_refused
from trainingrun.observed import Pod, RayJob
from trainingrun.spec.run import RunSpec

RUN = a_run().run
assert RUN is not None
SPEC: RunSpec = RUN.spec

OOM = ended_container()
CRASH = ended_container("Error", 139)
SIDECAR = ended_container(container="autoscaler")
TAKEN = pod("trainer", name="taken", disrupted="PreemptionByScheduler: preempted by a pod of higher priority")
OUT_OF_MEMORY = pod("trainer", name="full", terminations=OOM)
EVICTED = pod(
    "data", name="evicted", phase="Failed", status_reason="Evicted", status_message="low on ephemeral-storage"
)
CRASHED = pod("trainer", name="crashed", node="node-9", terminations=CRASH)
UNPULLED = pod("trainer", name="unpulled", ready=False, waiting=waits("ImagePullBackOff", "connection refused"))
SIDECAR_ENDED = pod("head", name="sidecar", terminations=SIDECAR)
MEMORY_MONITOR = "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory."
XID = "NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus."
ECC = "RuntimeError: CUDA error: uncorrectable ECC error encountered"

ENDINGS: list[tuple[str, RayJob, tuple[Pod, ...], str]] = [
    ("KubeRay refuses the RayJob", job("Failed", deployment_status="ValidationFailed"), (), "InvalidConfig"),
    ("refused, as a reason", job("Failed", reason="ValidationFailed"), (), "InvalidConfig"),
    ("stopped by a user", job("Failed", **ray_said(10)), (), "UserError"),
    ("SIGTERM, checkpoint saved", job("Failed", **ray_said(11)), (), "Preempted"),
    ("the run cannot work", job("Failed", **ray_said(12)), (), "InvalidConfig"),
    ("training failed", job("Failed", **ray_said(13)), (), "UserError"),
    ("Ray failed", job("Failed", **ray_said(14)), (), "Infrastructure"),
    ("a script of one's own", job("Failed", **ray_said(1)), (), "UserError"),
    ("any other code", job("Failed", **ray_said(33)), (), "UserError"),
    ("SIGTERM without a handler", job("Failed", **ray_said(-15)), (), "Infrastructure"),
    ("SIGTERM, and a pod was taken away", job("Failed", **ray_said(-15)), (TAKEN,), "Preempted"),
    ("SIGKILL", job("Failed", **ray_said(-9)), (), "Infrastructure"),
    ("Xid in a training failure", job("Failed", **ray_said(13, XID)), (), "AcceleratorFault"),
    ("ECC in a failure of Ray", job("Failed", **ray_said(14, ECC)), (), "AcceleratorFault"),
    ("start deadline", job("Failed", reason="PreRunningDeadlineExceeded"), (), "Infrastructure"),
    ("submission", job("Failed", reason="SubmissionFailed"), (), "Infrastructure"),
    (
        "KubeRay waited in vain",
        job("Failed", reason="JobDeploymentStatusTransitionGracePeriodExceeded"),
        (),
        "Infrastructure",
    ),
    ("the head does not answer", job("Failed", reason="JobStatusCheckTimeoutExceeded"), (), "HeadLost"),
    ("a deadline of somebody else", job("Failed", reason="DeadlineExceeded"), (), "DeadlineExceeded"),
    ("stopped by somebody else", job("Stopped"), (), "Infrastructure"),
    ("no words at all", job("Failed"), (), "Infrastructure"),
    ("a pod was taken away", job("Failed"), (TAKEN,), "Preempted"),
    ("a pod was killed for memory", job("Failed"), (OUT_OF_MEMORY,), "OutOfMemory"),
    ("Ray's memory monitor", job("Failed", **ray_said(13, MEMORY_MONITOR)), (), "OutOfMemory"),
    ("a pod was evicted", job("Failed"), (EVICTED,), "Infrastructure"),
    ("an image", job("Failed", reason="PreRunningDeadlineExceeded"), (UNPULLED,), "ImagePull"),
    ("a pod crashed", job("Failed"), (CRASHED,), "Infrastructure"),
    ("only a sidecar was killed", job("Failed", **ray_said(13)), (SIDECAR_ENDED,), "UserError"),
]


def failed(ray_job: RayJob, pods: Iterable[Pod], waited_for: Failure | None = None) -> Failure:
    return failure_of_ended(Evidence(SPEC, ray_job, oldest_first(pods), NOW, waited_for=waited_for)).failure


@pytest.mark.parametrize(("what", "ray_job", "pods", "expected"), ENDINGS, ids=[ending[0] for ending in ENDINGS])
def test_evidence_gives_a_class(what: str, ray_job: RayJob, pods: tuple[Pod, ...], expected: str) -> None:
    assert failed(ray_job, pods).failure_class == expected


STRONGER: list[tuple[str, dict[str, Any], tuple[Pod, ...], str]] = [
    ("the driver's InvalidConfig over a pod that was taken away", ray_said(12), (TAKEN,), "InvalidConfig"),
    ("a person's stop over a pod that was taken away", ray_said(10), (TAKEN,), "UserError"),
    ("a pod that was taken away over a training failure", ray_said(13), (TAKEN,), "Preempted"),
    ("a pod that was taken away over one out of memory", ray_said(13), (OUT_OF_MEMORY, TAKEN), "Preempted"),
    ("the driver's SIGTERM over a pod out of memory", ray_said(11), (OUT_OF_MEMORY,), "Preempted"),
    ("a pod out of memory over a failure of Ray", ray_said(14), (OUT_OF_MEMORY,), "OutOfMemory"),
    ("Ray's memory monitor over an eviction", ray_said(13, MEMORY_MONITOR), (EVICTED,), "OutOfMemory"),
    ("an eviction over a training failure", ray_said(13), (EVICTED,), "Infrastructure"),
    ("a driver that ran over a pod that joins late", ray_said(13), (UNPULLED,), "UserError"),
    ("a pod out of memory over an image", {}, (UNPULLED, OUT_OF_MEMORY), "OutOfMemory"),
    ("KubeRay's reason over a pod that joins late", {"reason": "SubmissionFailed"}, (UNPULLED,), "Infrastructure"),
    ("an exit code over KubeRay's reason", {**ray_said(13), "reason": "SubmissionFailed"}, (), "UserError"),
]


@pytest.mark.parametrize(("what", "fields", "pods", "expected"), STRONGER, ids=[case[0] for case in STRONGER])
def test_the_stronger_evidence_wins(what: str, fields: dict[str, Any], pods: tuple[Pod, ...], expected: str) -> None:
    assert failed(job("Failed", **fields), pods).failure_class == expected


def test_an_eviction_that_is_also_a_disruption_counts_as_infrastructure() -> None:
    """The kubelet sets both; the next attempt may well use as much."""
    both = pod("trainer", disrupted="TerminationByKubelet: low on memory", status_reason="Evicted")
    assert failed(job("Failed"), (both,)).failure_class == "Infrastructure"


def test_of_two_pods_the_older_one_is_the_cause() -> None:
    late = pod("trainer", name="a-late", created=at(0), terminations=OOM)
    early = pod("trainer", name="z-early", created=at(-90), terminations=OOM)
    assert failed(job("Failed"), (late, early)).pod == "z-early"


@pytest.mark.parametrize(
    ("ray_job", "seen", "place"),
    [
        (job("Failed"), TAKEN, ("node-1", "taken")),
        (job("Failed"), OUT_OF_MEMORY, ("node-1", "full")),
        (job("Failed", **ray_said(14)), CRASHED, ("node-9", "crashed")),
        (job("Failed", **ray_said(13, XID)), CRASHED, ("node-9", "crashed")),
        (job("Failed", **ray_said(13)), CRASHED, ("", "")),
    ],
    ids=["preempted", "memory", "infrastructure", "accelerator", "a user's error is nowhere"],
)
def test_a_failure_names_where_its_cause_was_seen(ray_job: RayJob, seen: Pod, place: tuple[str, str]) -> None:
    failure = failed(ray_job, (seen,))
    assert (failure.node, failure.pod) == place


@pytest.mark.parametrize(("said", "kept"), [(13, 13), (-9, 137), (-15, 143), (256 + 3, 3), (None, None)])
def test_the_exit_code_is_kept_as_a_shell_would_say_it(said: int | None, kept: int | None) -> None:
    """Also beside evidence of pods, since rules may ask for it."""
    assert failed(job("Failed", exit_code=said), (OUT_OF_MEMORY,)).exit_code == kept


def test_what_was_waited_for_explains_a_start_that_came_too_late() -> None:
    waited = Failure(FailureClass("ImagePull"), "Pod a: ErrImagePull")
    failure = failed(job("Failed", reason="PreRunningDeadlineExceeded"), (), waited)
    assert (failure.failure_class, failure.message) == (
        "ImagePull",
        "training did not start in time: Pod a: ErrImagePull",
    )


def test_what_was_waited_for_explains_nothing_else() -> None:
    waited = Failure(FailureClass("ImagePull"), "Pod a: ErrImagePull")
    assert failed(job("Failed", reason="SubmissionFailed"), (), waited).failure_class == "Infrastructure"


@pytest.mark.parametrize(
    ("reason", "message", "is_impossible", "is_refused"),
    [
        ("InvalidImageName", "", True, False),
        ("ErrImageNeverPull", "", True, False),
        ("ErrImagePull", "manifest unknown: manifest unknown", False, True),
        ("ErrImagePull", 'docker.io/acme/no: Not Found: "latest"', False, True),
        ("ImagePullBackOff", "unauthorized: authentication required", False, True),
        ("ImagePullBackOff", "pull access denied for acme", False, True),
        ("ErrImagePull", "dial tcp: i/o timeout", False, False),
        ("ImagePullBackOff", 'Back-off pulling image "acme"', False, False),
        ("CrashLoopBackOff", "the config map was not found", False, False),
    ],
)
def test_images_that_no_wait_can_heal_are_told_apart(
    reason: str, message: str, is_impossible: bool, is_refused: bool
) -> None:
    waiting = pod("head", ready=False, waiting=waits(reason, message))
    assert (image_impossible(waiting) is not None) == is_impossible
    assert (image_refused(None)(waiting) is not None) == is_refused


@pytest.mark.parametrize(
    ("container", "exit_code", "has_trained", "expected"),
    [
        ("code", 12, False, "InvalidConfig"),
        ("code", 12, True, None),
        ("code", 14, False, None),
        ("code", 137, False, None),
        ("istio-init", 12, False, None),
    ],
    ids=["another archive", "changed since it trained", "a store that is away", "killed", "somebody else's"],
)
def test_code_that_cannot_be_used_ends_a_run_that_has_not_trained(
    container: str, exit_code: int, has_trained: bool, expected: str | None
) -> None:
    words = (
        "RuntimeWarning: something\n"
        'spec.code: "s3://b/c.tar.gz": there is nothing at this address; expected an archive of code\n'
    )
    ended = ended_container("Error", exit_code, container=container, message=words)
    pods = (pod("head"), pod("data", ready=False, terminations=ended))
    found = failure_of_live(Evidence(SPEC, job("Starting"), pods, NOW, has_trained=has_trained))
    assert (found.failure.failure_class if found else None) == expected
    if found is not None:
        assert (found.failure.message, found.failure.pod) == (words.splitlines()[-1], pods[1].name)
        assert action_for(SPEC, found.failure) == "Fail"


def test_an_image_that_the_code_s_container_waits_for_is_the_run_s() -> None:
    waiting = pod("head", ready=False, waiting=waits("InvalidImageName", container="code"))
    assert image_impossible(waiting) is not None


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (pod("head", disrupted="EvictionByEvictionAPI: drained"), "Preempted"),
        (pod("head", terminations=ended_container(container="ray-head")), "OutOfMemory"),
        (pod("head", status_reason="Evicted"), "Infrastructure"),
        (SIDECAR_ENDED, None),
        (pod("head", deleting=True), None),
    ],
    ids=["drained", "memory", "evicted", "autoscaler ended", "only deleted"],
)
def test_a_head_tells_of_its_own_end(head: Pod, expected: str | None) -> None:
    failure = head_failure(SPEC, head, NOW)
    assert (failure.failure_class if failure else None) == expected


@pytest.mark.parametrize(
    ("second", "is_doubled"),
    [
        (pod("head", name="mnist-0-abcde-head-22222"), True),
        (pod("head", name="mnist-0-abcde-head-22222", deleting=True), False),
        (pod("head", name="mnist-0-fghij-head-22222"), False),
        (pod("trainer", name="mnist-0-abcde-trainer-worker-22222"), False),
    ],
    ids=["second head", "on its way out", "of the cluster that follows", "no head"],
)
def test_two_heads_in_one_cluster_are_a_failure_of_the_infrastructure(second: Pod, is_doubled: bool) -> None:
    failure = doubled_head([pod("head", name="mnist-0-abcde-head-11111"), second])
    assert (failure is not None) == is_doubled
    if failure is not None:
        assert failure.failure_class == "Infrastructure"
        assert "mnist-0-abcde-head-11111 and mnist-0-abcde-head-22222" in failure.message
