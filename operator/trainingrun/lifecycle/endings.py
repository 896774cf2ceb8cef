"""How attempts end, and what that means for the run: another attempt, or the verdict that it is over.

Every end without success passes the gate here; what does not pass it yet is remembered as a suspicion.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from trainingrun.contract.failure_class import Action, FailureClass
from trainingrun.failures import LONGEST_BACKOFF, Failure, Found, action_for, backoff, final, needs_proof
from trainingrun.lifecycle.view import View
from trainingrun.observed import RayJob
from trainingrun.status.conditions import ConditionType, Reason
from trainingrun.status.fields import Attempt, Suspicion
from trainingrun.status.model import MAX_COUNT


@dataclass(frozen=True)
class Verdict:
    """The run is over: `kind` is the condition that says so from now on."""

    kind: ConditionType
    reason: str
    message: str


@dataclass(frozen=True)
class AttemptUpdate:
    """An attempt as it stands now, with the run's counted failures so far, and what it is suspected of if it lives.

    `read`: a fresh read of what exists has to lead to the same end before anything is done about it.
    """

    attempt: Attempt
    failures: int
    verdict: Verdict | None = None
    suspected: Suspicion | None = None
    read: bool = False


def completed(view: View, entry: Attempt, job: RayJob, failures: int) -> AttemptUpdate:
    """The attempt ended with success, and so does the run."""
    done = entry.model_copy(
        update={
            "outcome": "Complete",
            "ray_job_uid": job.uid,
            "end_time": _end_time(view, entry, job, view.now),
            "stopping": False,
        }
    )
    message = f"Training completed in attempt {entry.index}."
    return AttemptUpdate(done, failures, Verdict(ConditionType.COMPLETE, Reason.TRAINING_COMPLETE, message))


def suspended(view: View, entry: Attempt) -> Attempt:
    """The attempt ended because the run was suspended, and nothing of it is left."""
    return entry.model_copy(update={"outcome": "Suspended", "end_time": view.now, "admitted": False})


def failed(view: View, entry: Attempt, found: Found, failures: int, job: RayJob | None = None) -> AttemptUpdate:
    """The attempt ended with a failure; the run's policy decides whether another follows.

    Until there is proof enough for what follows, it goes on and is suspected.
    """
    failure = found.failure
    action = action_for(view.spec, failure)
    counted = action == "Count"
    counted_failures = min(failures + counted, MAX_COUNT)
    verdict = _verdict(view, entry, failure, action, counted_failures)
    suspicion = suspicion_of(view, entry.index, found)
    if not final(found, ends_run=verdict is not None, held_for=view.now - suspicion.since):
        return AttemptUpdate(entry, failures, suspected=suspicion)
    wait = backoff(counted_failures if counted else _uncounted_in_a_row(view, entry) + 1)
    ended = entry.model_copy(
        update={
            "outcome": "Failed",
            "failure_class": failure.failure_class.value,
            "exit_code": failure.exit_code,
            "node": failure.node or None,
            "pod": failure.pod or None,
            "message": failure.message or None,
            "end_time": _end_time(view, entry, job, suspicion.since),
            "counted": counted,
            "retry_time": None if verdict else view.now + wait,
            "create_retry_time": None,
            "admitted": False,
        }
    )
    must_read = found.proof.read and needs_proof(found, ends_run=verdict is not None)
    return AttemptUpdate(ended, counted_failures, verdict, read=must_read)


def suspicion_of(view: View, attempt: int, found: Found) -> Suspicion:
    """What this attempt is suspected of now, and since when: since earlier looks if they have seen the same."""
    failure, known = found.failure, view.recorded.suspected
    since = known.since if known is not None and _is_same(view, known, attempt, found) else view.now
    return Suspicion(
        attempt=attempt,
        failure_class=failure.failure_class.value,
        message=failure.message,
        exit_code=failure.exit_code,
        node=failure.node,
        pod=failure.pod,
        has_ended=found.has_ended,
        since=since,
        until=since + found.proof.held,
    )


def suspected_before(view: View, attempt: int, *, has_ended: bool) -> Failure | None:
    """What earlier looks suspected the attempt of, while it lived or after it had ended."""
    known = view.recorded.suspected
    if known is None or (known.attempt, known.has_ended) != (attempt, has_ended):
        return None
    # A later version may have recorded a class that this one does not know.
    failure_class = FailureClass.of(known.failure_class) or FailureClass.INFRASTRUCTURE
    return Failure(failure_class, known.message, known.exit_code, known.node, known.pod)


def _is_same(view: View, known: Suspicion, attempt: int, found: Found) -> bool:
    """Whether it is the same evidence; of an attempt that has ended, the class may become clearer meanwhile."""
    if known.attempt != attempt or known.has_ended != found.has_ended or known.since > view.now:
        return False
    return found.has_ended or (known.failure_class, known.pod) == (found.failure.failure_class, found.failure.pod)


def _uncounted_in_a_row(view: View, entry: Attempt) -> int:
    """How many attempts before this one failed without being counted, and had not lasted longer than any pause."""
    count = 0
    for before in reversed([other for other in view.recorded.attempts if other.index < entry.index]):
        lasted = before.end_time - before.start_time if before.end_time and before.start_time else timedelta()
        if before.outcome != "Failed" or before.counted or lasted > LONGEST_BACKOFF:
            break
        count += 1
    return count


def interrupted(view: View, entry: Attempt, failure: Failure, failures: int) -> AttemptUpdate:
    """The attempt lost its head or its nodes, and KubeRay or the queue restarts it automatically.

    This counts like a failed attempt; the attempt ends only when the run allows no more of them.
    """
    count = "preemptions" if failure.failure_class is FailureClass.PREEMPTED else "head_restarts"
    entry = entry.model_copy(update={count: min(getattr(entry, count) + 1, MAX_COUNT)})
    action = action_for(view.spec, failure)
    if action == "Fail" or (action == "Count" and failures >= view.spec.backoff_limit):
        return failed(view, entry, Found(failure), failures)
    return AttemptUpdate(entry, failures + (action == "Count"))


def _verdict(view: View, entry: Attempt, failure: Failure, action: Action, failures: int) -> Verdict | None:
    """The verdict, if the run is over with this failure, which is the nth that counts."""
    limit = view.spec.backoff_limit
    if action == "Ignore" or (action == "Count" and failures <= limit):
        return None
    why_final = "" if action == "Fail" else f", and backoffLimit allows only {limit} failed attempts"
    message = f"Attempt {entry.index} failed{why_final}: {failure.message or failure.failure_class}"
    return Verdict(ConditionType.FAILED, failure.failure_class, message)


def _end_time(view: View, entry: Attempt, job: RayJob | None, seen: datetime) -> datetime:
    """KubeRay's time of the end if it can be true, else when the end was first seen."""
    ended = job.ended.replace(microsecond=0) if job is not None and job.ended is not None else None
    begun = entry.start_time or entry.recorded_time or view.now
    return ended if ended is not None and begun <= ended <= view.now else seen
