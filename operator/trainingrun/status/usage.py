"""Accounts for the run's time. Only a change of activity is written, so that a run that just goes on writes nothing."""

from __future__ import annotations

from datetime import datetime

from trainingrun.status.model import MAX_COUNT, Activity, Usage

_FIELDS: dict[Activity, tuple[str, ...]] = {
    "Queued": ("queued_seconds",),
    "Startup": ("startup_seconds", "active_seconds"),
    "Training": ("training_seconds", "active_seconds"),
    "Restarting": ("restarting_seconds", "active_seconds"),
    "Suspended": ("suspended_seconds",),
}
# The activities that count against the run's active deadline.
ACTIVE = frozenset(activity for activity, fields in _FIELDS.items() if "active_seconds" in fields)


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
