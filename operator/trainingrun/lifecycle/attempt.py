"""Follows one attempt: from what it was to what it is now, by its RayJob and pods.

An attempt that has ended is never looked at again, so that no late or stale sight of it can change its outcome.
"""

from __future__ import annotations

from typing import Any

from trainingrun.failures import Failure, action_for, classify, doubled_head, image_that_cannot_heal, trainer_failure
from trainingrun.lifecycle.deadlines import MISSING_GRACE, hung, overdue, paced
from trainingrun.lifecycle.endings import Step, completed, failed, interrupted, suspended
from trainingrun.lifecycle.lost_heads import head_forgotten, head_watched, seen_failure
from trainingrun.lifecycle.view import View
from trainingrun.observed import RayJob
from trainingrun.status.conditions import ConditionType, Reason
from trainingrun.status.fields import Attempt

_ENDED = frozenset({"Complete", "Failed", "ValidationFailed"})
# What an attempt waits for while it starts is told by the condition PodsReady: its reason, and the class of failure
# that it becomes when the start deadline is over.
_WAITED_FOR: dict[str, str] = {
    Reason.UNSCHEDULABLE: "Infrastructure",
    Reason.QUOTA_EXCEEDED: "Infrastructure",
    Reason.ADMISSION_DENIED: "Infrastructure",
    Reason.POD_SECURITY_DENIED: "Infrastructure",
    Reason.CONTAINER_ERROR: "Infrastructure",
    Reason.IMAGE_PULL: "ImagePull",
}


def has_ended(job: RayJob) -> bool:
    """Whether KubeRay has done with the RayJob, so that its RayCluster stays away once it is deleted."""
    return job.deployment_status in _ENDED


def has_succeeded(job: RayJob) -> bool:
    """Whether the RayJob ended with success."""
    return job.deployment_status == "Complete" and job.job_status == "SUCCEEDED"


def followed(view: View, entry: Attempt, failures: int) -> Step:
    """The attempt as it stands now. `failures` are the run's counted failures before this look."""
    if entry.is_finished:
        return Step(entry, failures)
    job = job_of(view, entry)
    if job is not None and has_succeeded(job):
        return completed(view, _seen(view, entry, job), job, failures)
    if entry.stopping or view.spec.suspend:
        return Step(_stopping(view, entry, job), failures)
    if job is None:
        return _missing(view, entry, failures)
    entry = _seen(view, entry, job)
    if job.deleting:
        words = f"RayJob {job.name} was deleted, and not by the operator"
        return failed(view, entry, Failure("Infrastructure", words), failures)
    if has_ended(job):
        failure = classify(view.spec, job, view.children.pods_of(entry.index), _waited_for(view))
        return failed(view, entry, failure, failures, job)
    if job.suspended:
        return _queued(view, entry, failures)
    return _live(view, entry, job, failures)


def job_of(view: View, entry: Attempt) -> RayJob | None:
    """The attempt's RayJob, if it is to be seen. Another one of the same name is not it."""
    job = view.children.jobs.get(entry.index)
    return job if job is None or entry.ray_job_uid in (None, job.uid) else None


def _seen(view: View, entry: Attempt, job: RayJob) -> Attempt:
    update: dict[str, Any] = {
        "ray_job_name": job.name,
        "ray_job_uid": job.uid,
        "missing_since": None,
        "retry_time": None,
    }
    if view.report.is_of(entry) and view.report.resumed_from:
        update["resumed_from"] = view.report.resumed_from
    return entry.model_copy(update=update)


def _stopping(view: View, entry: Attempt, job: RayJob | None) -> Attempt:
    """Ending for the sake of a suspension. That is not taken back, as its RayJob may be deleted already."""
    if job is not None:
        entry = _seen(view, entry, job)
    entry = entry.model_copy(update={"stopping": True, "missing_since": None, "retry_time": None})
    return suspended(view, entry) if view.children.all_gone else entry


def _missing(view: View, entry: Attempt, failures: int) -> Step:
    late = overdue(view)
    if late is not None:
        return failed(view, entry, late, failures)
    if entry.ray_job_uid is None:
        return Step(paced(view, entry), failures)
    since = entry.missing_since
    if since is None or since > view.now:
        return Step(entry.model_copy(update={"missing_since": view.now}), failures)
    if view.elapsed(since) < MISSING_GRACE:
        return Step(entry, failures)
    words = f"RayJob {entry.ray_job_name} is gone, and the operator did not delete it"
    return failed(view, entry, Failure("Infrastructure", words), failures)


def _queued(view: View, entry: Attempt, failures: int) -> Step:
    """Suspended by a queue: not admitted yet, or not any more."""
    if not entry.admitted:
        return Step(entry, failures)
    entry = head_forgotten(entry).model_copy(update={"admitted": False, "outcome": "Pending"})
    return interrupted(view, entry, Failure("Preempted", "the queue took the machines away"), failures)


def _live(view: View, entry: Attempt, job: RayJob, failures: int) -> Step:
    outcome = "Running" if job.job_status == "RUNNING" else "Pending"
    start = entry.start_time or view.now
    entry = entry.model_copy(update={"admitted": True, "start_time": start, "outcome": outcome})
    entry, loss = head_watched(view, entry, job)
    step = Step(entry, failures) if loss is None else interrupted(view, entry, loss, failures)
    if step.entry.is_finished:
        return step
    failure = _fatal(view, step.entry)
    return step if failure is None else failed(view, step.entry, failure, step.failures)


def _fatal(view: View, entry: Attempt) -> Failure | None:
    """What ends the attempt although KubeRay would go on with it."""
    pods = view.children.pods_of(entry.index)
    for failure in (seen_failure(entry), trainer_failure(view.spec, pods)):
        if failure is not None and action_for(view.spec, failure) == "Fail":
            return failure
    # Once training runs, a pod that joins late must not end it.
    if entry.outcome != "Running":
        image = image_that_cannot_heal(pods)
        if image is not None:
            return image
    return doubled_head(pods) or overdue(view) or hung(view, entry)


def _waited_for(view: View) -> Failure | None:
    waiting = view.recorded.conditions.get(ConditionType.PODS_READY)
    if waiting is None or waiting.reason not in _WAITED_FOR:
        return None
    return Failure(_WAITED_FOR[waiting.reason], waiting.message)
