"""The run's time: how it was spent, and how long the run may be active and an attempt be silent.

Only a change of activity is accounted for, so that a run that just goes on writes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import Failure
from trainingrun.lifecycle.view import View
from trainingrun.status.fields import Activity, Attempt, Usage
from trainingrun.status.model import MAX_COUNT

# How long KubeRay may take to notice a RayJob.
KUBERAY_GRACE = timedelta(seconds=60)

_FIELDS: dict[Activity, tuple[str, ...]] = {
    "Queued": ("queued_seconds",),
    "Startup": ("startup_seconds", "active_seconds"),
    "Training": ("training_seconds", "active_seconds"),
    "Restarting": ("restarting_seconds", "active_seconds"),
    "Suspended": ("suspended_seconds",),
}
# The activities that count against the run's active deadline.
ACTIVE = frozenset(activity for activity, fields in _FIELDS.items() if "active_seconds" in fields)


def active_deadline(view: View, usage: Usage) -> datetime | None:
    """When the run will have been active for as long as it may, if it goes on being active; None without a limit."""
    limit = view.spec.active_deadline_seconds
    if limit is None or usage.activity not in ACTIVE or usage.since is None:
        return None
    return usage.since + timedelta(seconds=limit - usage.active_seconds)


def overdue(view: View) -> Failure | None:
    """The failure of a run that has been active for longer than it may."""
    limit = view.spec.active_deadline_seconds
    # Not the time of the deadline: a run that was suspended too late has none, and has used its time up.
    if limit is None or usage_at(view.recorded.usage, None, view.now).active_seconds < limit:
        return None
    # An account that was made by a clock that was ahead for a moment may say more than can be true.
    if view.elapsed(view.run.created) < timedelta(seconds=limit):
        return None
    words = f"the run was active for longer than its activeDeadlineSeconds, which is {limit}"
    return Failure(FailureClass.DEADLINE_EXCEEDED, words)


def timed(view: View, entry: Attempt) -> Attempt:
    """The attempt with the time since which it trains on its present head. A clock that was set back starts anew."""
    since = entry.running_since
    if entry.outcome != "Running":
        since = None
    elif since is None or since > view.now:
        since = view.now
    return entry.model_copy(update={"running_since": since})


def progress_deadline(view: View, entry: Attempt) -> datetime | None:
    """When an attempt counts as hung, unless it reports progress before; None where silence says nothing.

    The first report is waited for as long as any other. A recipe always reports; a program of one's own is known to
    once it has.
    """
    reported, listening, begun = view.report.time, view.reports_since, entry.running_since
    reports = view.spec.recipe is not None or reported is not None
    if entry.outcome != "Running" or listening is None or begun is None or not reports:
        return None
    # Silence means nothing while no report could arrive. What trained before on another head says nothing of this one.
    since = max(begun, listening, reported if reported is not None and view.report.is_of(entry) else begun)
    return since + timedelta(seconds=view.spec.progress_deadline_seconds)


def hung(view: View, entry: Attempt) -> Failure | None:
    """The failure of an attempt that has fallen silent while others are heard."""
    due = progress_deadline(view, entry)
    if due is None or view.now < due or _is_everyone_silent(view):
        return None
    limit = view.spec.progress_deadline_seconds
    begun, reported = entry.running_since, view.report.time
    last = f"training runs since {begun:%Y-%m-%d %H:%M:%S} UTC"
    if reported is not None and (begun is None or reported >= begun):
        last = f"last report at {reported:%Y-%m-%d %H:%M:%S} UTC"
    return Failure(FailureClass.HANG, f"no progress was reported for {limit} seconds (progressDeadlineSeconds); {last}")


def hangs_unnoticed(view: View, entry: Attempt) -> bool:
    """Whether an attempt is silent for so long that it would hang, if others were not silent too."""
    due = progress_deadline(view, entry)
    return due is not None and view.now >= due and _is_everyone_silent(view)


def _is_everyone_silent(view: View) -> bool:
    """Whether none of the other runs that report is heard either: then the reports do not arrive, and nobody hangs."""
    if view.others_heard is None:
        return False
    return view.elapsed(view.others_heard) > timedelta(seconds=view.spec.progress_deadline_seconds) / 2


def usage_at(usage: Usage, activity: Activity | None, now: datetime) -> Usage:
    """The account when the run does `activity` from now on, or still. A clock that was set back takes nothing away."""
    if usage.activity == activity and (usage.since is not None) == (activity is not None):
        return usage
    update: dict[str, object] = {"activity": activity, "since": now if activity else None}
    if usage.activity is not None and usage.since is not None:
        seconds = max(int((now - usage.since).total_seconds()), 0)
        for field in _FIELDS[usage.activity]:
            update[field] = min(getattr(usage, field) + seconds, MAX_COUNT)
    return usage.model_copy(update=update)
