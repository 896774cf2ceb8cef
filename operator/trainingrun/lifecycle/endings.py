"""How attempts end, and what that means for the run: another attempt, or the verdict that it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import UNCOUNTED_BACKOFF, Failure, action_for, backoff
from trainingrun.lifecycle.view import View
from trainingrun.observed import RayJob
from trainingrun.status.conditions import ConditionType, Reason
from trainingrun.status.fields import MAX_COUNT, Attempt


@dataclass(frozen=True)
class Verdict:
    """The run is over: `kind` is the condition that says so from now on."""

    kind: ConditionType
    reason: str
    message: str


@dataclass(frozen=True)
class AttemptUpdate:
    """An attempt as it stands now, with the run's counted failures so far."""

    attempt: Attempt
    failures: int
    verdict: Verdict | None = None


def completed(view: View, entry: Attempt, job: RayJob, failures: int) -> AttemptUpdate:
    """The attempt ended with success, and so does the run."""
    done = entry.model_copy(
        update={
            "outcome": "Complete",
            "ray_job_uid": job.uid,
            "end_time": _end_time(view, entry, job),
            "stopping": False,
            "missing_since": None,
        }
    )
    message = f"Training completed in attempt {entry.index}."
    return AttemptUpdate(done, failures, Verdict(ConditionType.COMPLETE, Reason.TRAINING_COMPLETE, message))


def suspended(view: View, entry: Attempt) -> Attempt:
    """The attempt ended because the run was suspended, and nothing of it is left."""
    return entry.model_copy(
        update={"outcome": "Suspended", "end_time": view.now, "admitted": False, "missing_since": None}
    )


def failed(view: View, entry: Attempt, failure: Failure, failures: int, job: RayJob | None = None) -> AttemptUpdate:
    """The attempt ended with a failure; the run's policy decides whether another follows."""
    action = action_for(view.spec, failure)
    counted = action == "Count"
    failures = min(failures + counted, MAX_COUNT)
    limit = view.spec.backoff_limit
    verdict: Verdict | None = None
    if action == "Fail":
        verdict = _failure_verdict(entry, failure, "")
    elif failures > limit and counted:
        verdict = _failure_verdict(entry, failure, f", and backoffLimit allows only {limit} failed attempts")
    wait = backoff(failures) if counted else UNCOUNTED_BACKOFF
    ended = entry.model_copy(
        update={
            "outcome": "Failed",
            "failure_class": failure.failure_class.value,
            "exit_code": failure.exit_code,
            "node": failure.node or None,
            "pod": failure.pod or None,
            "message": failure.message or None,
            "end_time": _end_time(view, entry, job),
            "counted": counted,
            "retry_time": None if verdict else view.now + wait,
            "create_retry_time": None,
            "admitted": False,
            "missing_since": None,
        }
    )
    return AttemptUpdate(ended, failures, verdict)


def interrupted(view: View, entry: Attempt, failure: Failure, failures: int) -> AttemptUpdate:
    """The attempt lost its head or its nodes, and KubeRay or the queue restarts it automatically.

    This counts like a failed attempt; the attempt ends only when the run allows no more of them.
    """
    count = "preemptions" if failure.failure_class is FailureClass.PREEMPTED else "head_restarts"
    entry = entry.model_copy(update={count: min(getattr(entry, count) + 1, MAX_COUNT)})
    action = action_for(view.spec, failure)
    if action == "Fail" or (action == "Count" and failures >= view.spec.backoff_limit):
        return failed(view, entry, failure, failures)
    return AttemptUpdate(entry, failures + (action == "Count"))


def _failure_verdict(entry: Attempt, failure: Failure, why_final: str) -> Verdict:
    message = f"Attempt {entry.index} failed{why_final}: {failure.message or failure.failure_class}"
    return Verdict(ConditionType.FAILED, failure.failure_class, message)


def _end_time(view: View, entry: Attempt, job: RayJob | None) -> datetime:
    """KubeRay's time of the end if it can be true, else now."""
    ended = job.ended.replace(microsecond=0) if job is not None and job.ended is not None else None
    begun = entry.start_time or entry.recorded_time or view.now
    return ended if ended is not None and begun <= ended <= view.now else view.now
