"""The run's time: how it was spent, and how long the run may be active and an attempt be silent.

Only a change of activity is accounted for, so that a run that just goes on writes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import Failure
from trainingrun.lifecycle.view import View
from trainingrun.status.fields import MAX_COUNT, Activity, Attempt, Usage

# How long a RayJob may be missing from a cache that lags behind before it counts as deleted.
MISSING_GRACE = timedelta(seconds=30)
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
    words = f"the run was active for longer than its activeDeadlineSeconds, which is {limit}"
    return Failure(FailureClass.DEADLINE_EXCEEDED, words)


def progress_deadline(view: View, entry: Attempt) -> datetime | None:
    """When an attempt that has reported before counts as hung, unless it reports again."""
    reported, listening = view.report.time, view.reports_since
    if entry.outcome != "Running" or reported is None or listening is None or not view.report.is_of(entry):
        return None
    # Silence means nothing while no report could arrive. And a new head restarts training, which also takes time.
    since = max(reported, listening, entry.head_time or reported)
    return since + timedelta(seconds=view.spec.progress_deadline_seconds)


def hung(view: View, entry: Attempt) -> Failure | None:
    """The failure of an attempt that has fallen silent."""
    due = progress_deadline(view, entry)
    if due is None or view.now < due or view.report.time is None:
        return None
    limit = view.spec.progress_deadline_seconds
    last = f"{view.report.time:%Y-%m-%d %H:%M:%S} UTC"
    words = f"no progress was reported for {limit} seconds (progressDeadlineSeconds); last report at {last}"
    return Failure(FailureClass.HANG, words)


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
