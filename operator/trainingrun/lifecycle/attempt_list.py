"""Keeps the run's list of attempts: takes up what exists, updates the newest, and records the next one.

The list is the only memory. The next attempt is recorded here and written to status; whether it may be, and whether
its RayJob may be created then, `permission` says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import THE_CLOCK, Found, final
from trainingrun.lifecycle import deadlines, permission
from trainingrun.lifecycle.attempt import updated
from trainingrun.lifecycle.endings import Verdict, suspicion_of
from trainingrun.lifecycle.view import View
from trainingrun.status.conditions import ConditionType
from trainingrun.status.fields import MAX_ATTEMPTS, Attempt, Suspicion


@dataclass(frozen=True)
class AttemptList:
    """The attempts, the failures that count, and the verdict when the run is over.

    `suspected` and `read` are as in `AttemptUpdate`.
    """

    attempts: tuple[Attempt, ...]
    failures: int
    verdict: Verdict | None = None
    suspected: Suspicion | None = None
    read: bool = False

    @property
    def newest(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None


def attempts_of(view: View) -> AttemptList:
    """The attempts as they stand now. Once a verdict is recorded, nothing changes any more."""
    recorded = view.recorded
    latched = recorded.verdict
    if latched is not None:
        verdict = Verdict(latched.type, latched.reason, latched.message)
        return AttemptList(recorded.attempts, recorded.failures, verdict)
    attempts = _with_newest(view)
    if not attempts:
        return _continued(view, (), recorded.failures)
    update = updated(view, attempts[-1], recorded.failures)
    attempts = (*attempts[:-1], update.attempt)
    if update.verdict is not None or not update.attempt.is_finished:
        listed = _trimmed(attempts, update.failures, update.verdict)
    else:
        listed = _continued(view, attempts, update.failures)
    return replace(listed, suspected=update.suspected or listed.suspected, read=update.read)


def _with_newest(view: View) -> tuple[Attempt, ...]:
    """The recorded attempts and, if a later RayJob of ours exists, the one that it is.

    That happens only when status has lost entries, since an attempt is recorded before it is created.
    """
    recorded, jobs = view.recorded, view.children.jobs
    newest = max(jobs, default=-1)
    if newest <= recorded.highest_index:
        return recorded.attempts
    entry = Attempt(index=newest, ray_job_name=jobs[newest].name, outcome="Pending", recorded_time=view.now)
    return (*_closed(view, recorded.attempts), entry)


def _closed(view: View, attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    if not attempts or attempts[-1].is_finished:
        return attempts
    lost = {"outcome": "Failed", "failure_class": FailureClass.INFRASTRUCTURE, "end_time": view.now, "stopping": False}
    words = "its end was not recorded, but a later attempt exists"
    return (*attempts[:-1], attempts[-1].model_copy(update={**lost, "message": words}))


def _continued(view: View, attempts: tuple[Attempt, ...], failures: int) -> AttemptList:
    """What follows when no attempt is under way: the next attempt, waiting for it, or the run's end."""
    if view.spec.suspend:
        return _trimmed(attempts, failures)
    last = attempts[-1] if attempts else None
    late = deadlines.overdue(view)
    if late is not None:
        found = Found(late, THE_CLOCK)
        suspicion = suspicion_of(view, last.index if last else -1, found)
        if not final(found, ends_run=True, held_for=view.now - suspicion.since):
            return replace(_trimmed(attempts, failures), suspected=suspicion)
        return _trimmed(attempts, failures, Verdict(ConditionType.FAILED, late.failure_class, late.message))
    if not permission.may_be_recorded(view, last):
        return _trimmed(attempts, failures)
    index = last.index + 1 if last is not None else 0
    following = Attempt(index=index, ray_job_name=view.name_of(index), outcome="Pending", recorded_time=view.now)
    return _trimmed((*attempts, permission.paced(view, following)), failures)


def _trimmed(attempts: tuple[Attempt, ...], failures: int, verdict: Verdict | None = None) -> AttemptList:
    return AttemptList(attempts[-MAX_ATTEMPTS:], failures, verdict)
