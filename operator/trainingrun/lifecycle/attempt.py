"""Updates one attempt: from what it was to what it is now, by its RayJob and pods.

An attempt that has ended is never examined again, so that no late or stale view of it can change its outcome.
"""

from __future__ import annotations

from typing import Any

from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import (
    ABSENCE,
    THE_CLOCK,
    Evidence,
    Failure,
    Found,
    failure_of_ended,
    failure_of_gone,
    failure_of_live,
    failure_of_waiting,
    oldest_first,
)
from trainingrun.lifecycle import deadlines, endings, lost_heads, permission
from trainingrun.lifecycle.endings import AttemptUpdate
from trainingrun.lifecycle.view import View
from trainingrun.observed import RayJob
from trainingrun.status.conditions import ConditionType
from trainingrun.status.fields import Attempt

_ENDED = frozenset({"Complete", "Failed", "ValidationFailed"})


def has_ended(job: RayJob) -> bool:
    """Whether KubeRay has done with the RayJob, so that its RayCluster stays away once it is deleted."""
    return job.deployment_status in _ENDED


def has_succeeded(job: RayJob) -> bool:
    """Whether the RayJob ended with success."""
    return job.deployment_status == "Complete" and job.job_status == "SUCCEEDED"


def updated(view: View, entry: Attempt, failures: int) -> AttemptUpdate:
    """The attempt's current state. `failures` are the run's counted failures so far."""
    if entry.is_finished:
        return AttemptUpdate(entry, failures)
    job = job_of(view, entry)
    if job is not None and has_succeeded(job):
        return endings.completed(view, _seen(view, entry, job), job, failures)
    if entry.stopping or view.spec.suspend:
        return AttemptUpdate(_stopping(view, entry, job), failures)
    if job is None:
        return _missing(view, entry, failures)
    entry = _seen(view, entry, job)
    if has_ended(job):
        return endings.failed(view, entry, failure_of_ended(_evidence(view, entry, job)), failures, job)
    if job.deleting:
        words = f"RayJob {job.name} was deleted, but not by the operator"
        return endings.failed(view, entry, Found(Failure(FailureClass.INFRASTRUCTURE, words)), failures)
    if job.suspended:
        return _queued(view, entry, failures)
    return _live(view, entry, job, failures)


def job_of(view: View, entry: Attempt) -> RayJob | None:
    """The attempt's RayJob, if it is visible. A different one with the same name does not count."""
    job = view.children.jobs.get(entry.index)
    return job if job is None or entry.ray_job_uid in (None, job.uid) else None


def _seen(view: View, entry: Attempt, job: RayJob) -> Attempt:
    update: dict[str, Any] = {
        "ray_job_name": job.name,
        "ray_job_uid": job.uid,
        "create_retry_time": None,
    }
    if view.report.is_of(entry) and view.report.resumed_from:
        update["resumed_from"] = view.report.resumed_from
    return entry.model_copy(update=update)


def _stopping(view: View, entry: Attempt, job: RayJob | None) -> Attempt:
    """Ending because of a suspension. This is not undone, since its RayJob may already be deleted."""
    if job is not None:
        entry = _seen(view, entry, job)
    entry = entry.model_copy(update={"stopping": True, "create_retry_time": None})
    return endings.suspended(view, entry) if view.children.all_gone else entry


def _missing(view: View, entry: Attempt, failures: int) -> AttemptUpdate:
    end, late = endings.suspected_before(view, entry.index, has_ended=True), deadlines.overdue(view)
    if end is not None:
        pods = oldest_first(view.children.pods_of(entry.index))
        return endings.failed(view, entry, failure_of_gone(end, pods), failures)
    if late is not None:
        return endings.failed(view, entry, Found(late, THE_CLOCK), failures)
    if entry.ray_job_uid is None:
        return AttemptUpdate(permission.paced(view, entry), failures)
    words = f"RayJob {entry.ray_job_name} is gone, but the operator did not delete it"
    return endings.failed(view, entry, Found(Failure(FailureClass.INFRASTRUCTURE, words), ABSENCE), failures)


def _queued(view: View, entry: Attempt, failures: int) -> AttemptUpdate:
    """Suspended by a queue: not admitted yet, or no longer."""
    if not entry.admitted:
        return AttemptUpdate(entry, failures)
    entry = lost_heads.head_forgotten(entry).model_copy(update={"admitted": False, "outcome": "Pending"})
    return endings.interrupted(
        view, entry, Failure(FailureClass.PREEMPTED, "the queue preempted the attempt"), failures
    )


def _live(view: View, entry: Attempt, job: RayJob, failures: int) -> AttemptUpdate:
    outcome = "Running" if job.job_status == "RUNNING" else "Pending"
    start = entry.start_time or view.now
    entry = entry.model_copy(update={"admitted": True, "start_time": start, "outcome": outcome})
    entry, losses = lost_heads.head_watched(view, entry, job)
    update = AttemptUpdate(deadlines.timed(view, entry), failures)
    for loss in losses:
        update = endings.interrupted(view, update.attempt, loss, update.failures)
        if update.attempt.is_finished:
            return update
    found = failure_of_live(_evidence(view, update.attempt, job))
    return update if found is None else endings.failed(view, update.attempt, found, update.failures)


def _evidence(view: View, entry: Attempt, job: RayJob) -> Evidence:
    return Evidence(
        spec=view.spec,
        job=job,
        pods=oldest_first(view.children.pods_of(entry.index)),
        moment=job.ended or view.now,
        has_trained=_has_trained(view, entry),
        suspected=endings.suspected_before(view, entry.index, has_ended=has_ended(job)),
        head_end=lost_heads.seen_failure(entry),
        waited_for=_waited_for(view),
        late=deadlines.overdue(view),
        silent=deadlines.hung(view, entry),
    )


def _has_trained(view: View, entry: Attempt) -> bool:
    usage = view.recorded.usage
    return entry.outcome == "Running" or usage.activity == "Training" or usage.training_seconds > 0


def _waited_for(view: View) -> Failure | None:
    waiting = view.recorded.conditions.get(ConditionType.PODS_READY)
    return None if waiting is None else failure_of_waiting(waiting.reason, waiting.message)
