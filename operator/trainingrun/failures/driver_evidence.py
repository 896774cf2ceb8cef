"""What the driver's exit code and last lines, and KubeRay's reasons, tell of a failure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from trainingrun.contract.exits import Exit
from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import pod_evidence
from trainingrun.failures.evidence import Evidence
from trainingrun.failures.failure import Failure
from trainingrun.failures.gate import WORDS_OF_OTHERS
from trainingrun.failures.last_words import driver_words, joined

# Of a program that a signal ended: SIGTERM and SIGKILL. Who sent it is not said: a preemption shows in the pods.
_TERMINATED, _KILLED = 143, 137
_BY_SIGNAL: Mapping[int, str] = {
    _TERMINATED: "the driver was ended (SIGTERM), and no pod says that it was preempted",
    _KILLED: "the driver was killed (SIGKILL), usually because the head pod ran out of memory",
}
_BY_REASON: Mapping[str, FailureClass] = {
    "PreRunningDeadlineExceeded": FailureClass.INFRASTRUCTURE,
    "SubmissionFailed": FailureClass.INFRASTRUCTURE,
    "JobDeploymentStatusTransitionGracePeriodExceeded": FailureClass.INFRASTRUCTURE,
    "JobStatusCheckTimeoutExceeded": FailureClass.HEAD_LOST,
    # Set by whoever gave the RayJob a deadline of its own; the operator's is not KubeRay's.
    "DeadlineExceeded": FailureClass.DEADLINE_EXCEEDED,
}
# Ray's messages when its memory monitor has killed a process (src/ray/raylet in Ray 2.58), and its exception's name.
# CUDA's differ: its memory is up to the program.
_RAYS_MEMORY_WORDS = re.compile(
    r"killed due to the node running low on memory|killed by the memory monitor|ray\.exceptions\.OutOfMemoryError"
)
# The words of NVIDIA's driver, and of CUDA and HIP, for broken hardware. A word such as Xid alone may be anybody's.
_ACCELERATOR_WORDS = re.compile(
    r"NVRM: Xid \(|GPU has fallen off the bus"
    r"|(?:CUDA|HIP) error: (?:uncorrectable (?:ECC|NVLink) error|hardware stack error)"
)


def rejected_by_kuberay(seen: Evidence) -> Failure | None:
    """KubeRay does not accept the RayJob."""
    if "ValidationFailed" not in (seen.job.deployment_status, seen.job.reason):
        return None
    return Failure(FailureClass.INVALID_CONFIG, joined("KubeRay does not accept the RayJob", seen.job.message))


def stopped_by_a_user(seen: Evidence) -> Failure | None:
    """The driver was interrupted."""
    if seen.exit is not Exit.ABORTED:
        return None
    return Failure(FailureClass.USER_ERROR, joined("stopped by a user", driver_words(seen.job.message)))


def invalid_configuration(seen: Evidence) -> Failure | None:
    """The driver found that the run cannot work as it is configured."""
    return Failure(FailureClass.INVALID_CONFIG, _said(seen)) if seen.exit is Exit.INVALID_CONFIG else None


def preempted(seen: Evidence) -> Failure | None:
    """The driver was told that its nodes go, and saved a checkpoint."""
    return Failure(FailureClass.PREEMPTED, _said(seen)) if seen.exit is Exit.PREEMPTED else None


def out_of_memory(seen: Evidence) -> Failure | None:
    """Ray's memory monitor killed a process."""
    words = driver_words(seen.job.message)
    return Failure(FailureClass.OUT_OF_MEMORY, words) if _RAYS_MEMORY_WORDS.search(words) else None


def accelerator_fault(seen: Evidence) -> Failure | None:
    """The last lines have a driver's words for broken hardware."""
    words = driver_words(seen.job.message)
    if seen.exit_code is None or not _ACCELERATOR_WORDS.search(words):
        return None
    return _placed(Failure(FailureClass.ACCELERATOR_FAULT, words), seen)


def ended_by_exit_code(seen: Evidence) -> Failure | None:
    """The driver ended with a code; one of a program of the user's own is the program's failure."""
    if seen.exit_code is None:
        return None
    if seen.exit_code in _BY_SIGNAL:
        words = joined(_BY_SIGNAL[seen.exit_code], driver_words(seen.job.message))
        return _placed(Failure(FailureClass.INFRASTRUCTURE, words), seen)
    if seen.exit is Exit.INFRASTRUCTURE:
        return _placed(Failure(FailureClass.INFRASTRUCTURE, _said(seen)), seen)
    return Failure(FailureClass.USER_ERROR, _said(seen))


def not_started_in_time(seen: Evidence) -> Failure | None:
    """The start deadline is over, and what the attempt waited for last is known."""
    waited_for = pod_evidence.first(pod_evidence.image_not_pulled, seen.pods) or seen.waited_for
    if seen.job.reason != "PreRunningDeadlineExceeded" or waited_for is None:
        return None
    failure = replace(waited_for, message=joined("training did not start in time", waited_for.message))
    had_time = timedelta(seconds=seen.spec.start_deadline_seconds) >= WORDS_OF_OTHERS.held
    if failure.failure_class is FailureClass.IMAGE_PULL and (seen.has_trained or not had_time):
        return replace(failure, failure_class=FailureClass.INFRASTRUCTURE)  # it may only be out of reach for a while
    return failure


def given_up_by_kuberay(seen: Evidence) -> Failure | None:
    """KubeRay names a reason that says enough."""
    known = _BY_REASON.get(seen.job.reason)
    return None if known is None else Failure(known, joined(seen.job.reason, seen.job.message))


def stopped_by_somebody(seen: Evidence) -> Failure | None:
    """Somebody stopped the Ray job."""
    if seen.job.job_status != "STOPPED":
        return None
    words = joined("the Ray job was stopped by someone else", driver_words(seen.job.message))
    return Failure(FailureClass.INFRASTRUCTURE, words)


def not_run_by_ray(seen: Evidence) -> Failure:
    """Without an exit code, the program did not end by itself: Ray could not run it."""
    words = joined(driver_words(seen.job.message) or seen.job.reason or "the RayJob failed without giving a reason")
    return _placed(Failure(FailureClass.INFRASTRUCTURE, words), seen)


def _said(seen: Evidence) -> str:
    return driver_words(seen.job.message) or f"the training program ended with exit code {seen.exit_code}"


def _placed(failure: Failure, seen: Evidence) -> Failure:
    """The failure with the pod that ended abnormally, if one did."""
    broken = pod_evidence.first(pod_evidence.broken(seen.moment), seen.pods)
    return failure if broken is None else replace(failure, node=broken.node, pod=broken.pod)
