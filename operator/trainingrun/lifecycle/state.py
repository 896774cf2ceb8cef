"""The one word for where a run stands. Conditions follow from it, and it follows from the attempts alone."""

from __future__ import annotations

from trainingrun.lifecycle.attempt import job_of
from trainingrun.lifecycle.attempt_list import AttemptList
from trainingrun.lifecycle.view import View
from trainingrun.status.conditions import ConditionType
from trainingrun.status.fields import Activity, Attempt, State

_ACTIVITIES: dict[State, Activity] = {
    "Queued": "Queued",
    "Starting": "Startup",
    "Running": "Training",
    "Restarting": "Restarting",
    "Suspending": "Restarting",
    "Suspended": "Suspended",
}


def state_of(view: View, attempt_list: AttemptList) -> State:
    """Where the run stands."""
    if attempt_list.verdict is not None:
        return "Complete" if attempt_list.verdict.kind is ConditionType.COMPLETE else "Failed"
    current = attempt_list.newest
    if not view.is_valid and not view.adoption.is_open and _has_nothing_under_way(current):
        return "Invalid"
    if view.spec.suspend or (current is not None and current.stopping and not current.is_finished):
        return "Suspended" if _is_at_rest(view, current) else "Suspending"
    if current is None or (current.ray_job_uid is None and view.recorded.start_time is None):
        return "Pending"
    return "Restarting" if current.is_finished else _live_state(view, current)


def activity_of(state: State) -> Activity | None:
    """What a run in this state spends its time on, if that is counted."""
    return _ACTIVITIES.get(state)


def _live_state(view: View, current: Attempt) -> State:
    job = job_of(view, current)
    if job is None:
        return "Restarting"
    if not current.admitted:
        return "Queued"
    if current.outcome != "Running":
        return "Starting"
    head = view.children.head_of(current.index)
    return "Running" if head is not None and head.is_working else "Restarting"


def _has_nothing_under_way(current: Attempt | None) -> bool:
    return current is None or current.is_finished or (current.ray_job_uid is None and not current.stopping)


def _is_at_rest(view: View, current: Attempt | None) -> bool:
    return view.children.all_gone and (current is None or current.is_finished)
