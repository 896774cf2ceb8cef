"""The class of an attempt that KubeRay says has failed, from all evidence that is left of it.

KubeRay's own reason comes last: it calls a lost head and a mistake in a program by the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from trainingrun.failures import evidence as evidence
from trainingrun.failures.evidence import image_failure
from trainingrun.failures.failure import DEADLINE_EXCEEDED, Failure, shell_code
from trainingrun.failures.last_words import driver_words, joined
from trainingrun.observed import Pod, RayJob
from trainingrun.spec.run import RunSpec

# Exit codes of the training program (images/trainer, exits.py), and those of one that SIGTERM ended.
_ABORTED, _PREEMPTED, _INVALID, _FAILED, _INFRASTRUCTURE = 10, 11, 12, 13, 14
_TERMINATED = 143
_KILLED = 137
_BY_EXIT_CODE: Mapping[int, str] = {
    _ABORTED: "UserError",
    _PREEMPTED: "Preempted",
    _TERMINATED: "Preempted",
    _INVALID: "InvalidConfig",
    _FAILED: "UserError",
    _INFRASTRUCTURE: "Infrastructure",
    _KILLED: "Infrastructure",
}
# The driver knows these better than any pod: nothing was trained, or a person stopped it.
_BEYOND_DOUBT = frozenset({_ABORTED, _INVALID})
_BY_REASON: Mapping[str, str] = {
    "PreRunningDeadlineExceeded": "Infrastructure",
    "SubmissionFailed": "Infrastructure",
    "JobDeploymentStatusTransitionGracePeriodExceeded": "Infrastructure",
    "JobStatusCheckTimeoutExceeded": "HeadLost",
    # Set by whoever gave the RayJob a deadline of its own; the operator's is not KubeRay's.
    "DeadlineExceeded": DEADLINE_EXCEEDED,
}
# Ray's words when its memory monitor has killed a process (src/ray/raylet in Ray 2.58). CUDA's are others: its memory
# is the program's affair.
_RAYS_MEMORY_WORDS = re.compile(r"running low on memory|killed (?:by|due to) the memory monitor", re.IGNORECASE)
# NVIDIA's and AMD's words for broken hardware.
_ACCELERATOR_WORDS = re.compile(
    r"\bXid\b|\bECC\b|uncorrectable|CUDA error: (?:hardware|unspecified launch failure.*ECC)|fallen off the bus",
    re.IGNORECASE,
)


def classify(spec: RunSpec, job: RayJob, pods: Iterable[Pod], waited_for: Failure | None = None) -> Failure:
    """Why the attempt of `job` failed.

    `waited_for` is what the attempt waited for when it was last seen starting; its pods may be gone by now.
    """
    code = shell_code(job.exit_code)
    pods = sorted(pods, key=lambda pod: (pod.created, pod.name))
    failure = _from_verdict(job, code) or _from_pods(spec, job, code, pods) or _from_job(job, code, pods, waited_for)
    return replace(failure, exit_code=code)


def _from_verdict(job: RayJob, code: int | None) -> Failure | None:
    """What needs no look at the pods."""
    if job.deployment_status == "ValidationFailed" or job.reason == "ValidationFailed":
        return Failure("InvalidConfig", joined("KubeRay does not accept the RayJob", job.message))
    if code in _BEYOND_DOUBT:
        return _by_exit_code(job, code)
    return None


def _from_pods(spec: RunSpec, job: RayJob, code: int | None, pods: list[Pod]) -> Failure | None:
    taken_away = evidence.first(evidence.preempted, pods)
    if taken_away is not None:
        return taken_away
    if code == _PREEMPTED:
        return _by_exit_code(job, code)
    killed = evidence.first(evidence.out_of_memory(spec), pods)
    if killed is not None:
        return killed
    if _RAYS_MEMORY_WORDS.search(words := driver_words(job.message)):
        return Failure("OutOfMemory", words)
    return evidence.first(evidence.evicted, pods) or (image_failure(pods) if code is None else None)


def _from_job(job: RayJob, code: int | None, pods: list[Pod], waited_for: Failure | None) -> Failure:
    if code is not None:
        return _by_exit_code(job, code, pods)
    known = _BY_REASON.get(job.reason)
    if job.reason == "PreRunningDeadlineExceeded" and waited_for is not None:
        return replace(waited_for, message=joined("training did not start in time", waited_for.message))
    if known is not None:
        return Failure(known, joined(job.reason, job.message))
    if job.job_status == "STOPPED":
        return Failure("Infrastructure", joined("the Ray job was stopped by somebody else", driver_words(job.message)))
    # Without an exit code it was not the program that ended, but Ray that could not run it.
    words = joined(driver_words(job.message) or job.reason or "the RayJob failed and does not say why")
    return _with_place(Failure("Infrastructure", words), pods)


def _by_exit_code(job: RayJob, code: int, pods: list[Pod] | None = None) -> Failure:
    words = driver_words(job.message)
    kind = _BY_EXIT_CODE.get(code, "UserError")
    if code in (_FAILED, _INFRASTRUCTURE) and _ACCELERATOR_WORDS.search(words):
        kind = "AcceleratorFault"
    if code == _ABORTED:
        words = joined("stopped by a person", words)
    if code == _KILLED:
        words = joined("the driver was killed (SIGKILL), often for want of memory in the head's pod", words)
    failure = Failure(kind, words or f"the training program ended with exit code {code}")
    return _with_place(failure, pods or []) if kind in ("Infrastructure", "AcceleratorFault") else failure


def _with_place(failure: Failure, pods: list[Pod]) -> Failure:
    """The failure with the pod that ended in an odd way, if one did."""
    seen = evidence.first(evidence.broken, pods)
    return failure if seen is None else replace(failure, node=seen.node, pod=seen.pod)
