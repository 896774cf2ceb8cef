"""Keeps the run's list of attempts: takes up what exists, follows the newest, and decides on the next one.

The list is the only memory. The next attempt is decided here and written to status; whoever creates its RayJob does
so only once it has read it there.
"""

from __future__ import annotations

from dataclasses import dataclass

from trainingrun.lifecycle.attempt import followed
from trainingrun.lifecycle.deadlines import overdue, paced, waits_to_retry
from trainingrun.lifecycle.endings import Verdict
from trainingrun.lifecycle.view import View
from trainingrun.status.conditions import ConditionType
from trainingrun.status.fields import MAX_ATTEMPTS, MAX_INDEX, Attempt


@dataclass(frozen=True)
class Ledger:
    """The attempts, the failures that count, and the verdict when the run is over."""

    attempts: tuple[Attempt, ...]
    failures: int
    verdict: Verdict | None = None

    @property
    def current(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None


def ledger_of(view: View) -> Ledger:
    """The attempts as they stand now. Once a verdict is recorded, nothing changes any more."""
    recorded = view.recorded
    latched = recorded.verdict
    if latched is not None:
        verdict = Verdict(latched.type, latched.reason, latched.message)
        return Ledger(recorded.attempts, recorded.failures, verdict)
    attempts = _with_newest(view)
    if not attempts:
        return _trimmed(_continued(view, (), recorded.failures))
    step = followed(view, attempts[-1], recorded.failures)
    attempts = (*attempts[:-1], step.entry)
    if step.verdict is not None or not step.entry.is_finished:
        return _trimmed(Ledger(attempts, step.failures, step.verdict))
    return _trimmed(_continued(view, attempts, step.failures))


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
    lost = {"outcome": "Failed", "failure_class": "Infrastructure", "end_time": view.now, "stopping": False}
    words = "its end was not recorded; a later attempt exists"
    return (*attempts[:-1], attempts[-1].model_copy(update={**lost, "message": words}))


def _continued(view: View, attempts: tuple[Attempt, ...], failures: int) -> Ledger:
    """What follows when no attempt is under way: the next attempt, waiting for it, or the run's end."""
    ledger = Ledger(attempts, failures)
    last = ledger.current
    if view.spec.suspend:
        return ledger
    late = overdue(view)
    if late is not None:
        return Ledger(attempts, failures, Verdict(ConditionType.FAILED, late.failure_class, late.message))
    index = last.index + 1 if last is not None else 0
    is_waiting = last is not None and last.outcome == "Failed" and waits_to_retry(view, last)
    if not view.children.all_gone or is_waiting or index > MAX_INDEX:
        return ledger
    entry = Attempt(index=index, ray_job_name=view.name_of(index), outcome="Pending", recorded_time=view.now)
    return Ledger((*attempts, paced(view, entry)), failures)


def _trimmed(ledger: Ledger) -> Ledger:
    return Ledger(ledger.attempts[-MAX_ATTEMPTS:], ledger.failures, ledger.verdict)
