"""What the driver's exit code and last lines, and KubeRay's reasons, tell of a failure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from trainingrun.contract.exits import Exit
from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import pod_evidence
from trainingrun.failures.evidence import Evidence
from trainingrun.failures.failure import Failure
from trainingrun.failures.last_words import driver_words, joined

# Of a program that a signal ended: SIGTERM and SIGKILL.
_TERMINATED, _KILLED = 143, 137
_BY_EXIT_CODE: Mapping[int, FailureClass] = {
    Exit.PREEMPTED: FailureClass.PREEMPTED,
    Exit.USER_ERROR: FailureClass.USER_ERROR,
    Exit.INFRASTRUCTURE: FailureClass.INFRASTRUCTURE,
    _TERMINATED: FailureClass.PREEMPTED,
    _KILLED: FailureClass.INFRASTRUCTURE,
}
_BY_REASON: Mapping[str, FailureClass] = {
    "PreRunningDeadlineExceeded": FailureClass.INFRASTRUCTURE,
    "SubmissionFailed": FailureClass.INFRASTRUCTURE,
    "JobDeploymentStatusTransitionGracePeriodExceeded": FailureClass.INFRASTRUCTURE,
    "JobStatusCheckTimeoutExceeded": FailureClass.HEAD_LOST,
    # Set by whoever gave the RayJob a deadline of its own; the operator's is not KubeRay's.
    "DeadlineExceeded": FailureClass.DEADLINE_EXCEEDED,
}
# Ray's message when its memory monitor has killed a process (src/ray/raylet in Ray 2.58). CUDA's differs: its memory
# is up to the program.
_RAYS_MEMORY_WORDS = re.compile(r"running low on memory|killed (?:by|due to) the memory monitor", re.IGNORECASE)
# NVIDIA's and AMD's terms for broken hardware.
_ACCELERATOR_WORDS = re.compile(
    r"\bXid\b|\bECC\b|uncorrectable|CUDA error: (?:hardware|unspecified launch failure.*ECC)|fallen off the bus",
    re.IGNORECASE,
)


def rejected_by_kuberay(seen: Evidence) -> Failure | None:
    """KubeRay does not accept the RayJob."""
    if "ValidationFailed" not in (seen.job.deployment_status, seen.job.reason):
        return None
    return Failure(FailureClass.INVALID_CONFIG, joined("KubeRay does not accept the RayJob", seen.job.message))


def stopped_by_a_user(seen: Evidence) -> Failure | None:
    """The driver was interrupted."""
    if seen.exit_code != Exit.ABORTED:
        return None
    return Failure(FailureClass.USER_ERROR, joined("stopped by a user", driver_words(seen.job.message)))


def invalid_configuration(seen: Evidence) -> Failure | None:
    """The driver found that the run cannot work as it is configured."""
    return Failure(FailureClass.INVALID_CONFIG, _said(seen)) if seen.exit_code == Exit.INVALID_CONFIG else None


def preempted(seen: Evidence) -> Failure | None:
    """The driver was told that its nodes go, and saved a checkpoint."""
    return Failure(FailureClass.PREEMPTED, _said(seen)) if seen.exit_code == Exit.PREEMPTED else None


def out_of_memory(seen: Evidence) -> Failure | None:
    """Ray's memory monitor killed a process."""
    words = driver_words(seen.job.message)
    return Failure(FailureClass.OUT_OF_MEMORY, words) if _RAYS_MEMORY_WORDS.search(words) else None


def accelerator_fault(seen: Evidence) -> Failure | None:
    """The last lines have a driver's words for broken hardware."""
    if seen.exit_code not in (Exit.USER_ERROR, Exit.INFRASTRUCTURE):
        return None
    words = driver_words(seen.job.message)
    if not _ACCELERATOR_WORDS.search(words):
        return None
    return _placed(Failure(FailureClass.ACCELERATOR_FAULT, words), seen)


def ended_by_exit_code(seen: Evidence) -> Failure | None:
    """The driver ended with a code; one of a program of the user's own is the program's failure."""
    if seen.exit_code is None:
        return None
    found = Failure(_BY_EXIT_CODE.get(seen.exit_code, FailureClass.USER_ERROR), _said(seen))
    if seen.exit_code == _KILLED:
        killed = "the driver was killed (SIGKILL), usually because the head pod ran out of memory"
        found = replace(found, message=joined(killed, driver_words(seen.job.message)))
    return _placed(found, seen) if found.failure_class is FailureClass.INFRASTRUCTURE else found


def not_started_in_time(seen: Evidence) -> Failure | None:
    """The start deadline is over, and what the attempt waited for last is known."""
    if seen.job.reason != "PreRunningDeadlineExceeded" or seen.waited_for is None:
        return None
    return replace(seen.waited_for, message=joined("training did not start in time", seen.waited_for.message))


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
    broken = pod_evidence.first(pod_evidence.broken, seen.pods)
    return failure if broken is None else replace(failure, node=broken.node, pod=broken.pod)
