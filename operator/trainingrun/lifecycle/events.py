"""The Kubernetes events for a change of status: one for each condition that turns, attempt that fails,
and head or node that is lost. The same status twice gives none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from trainingrun.contract.failure_class import FailureClass
from trainingrun.status.conditions import REFUSALS, Condition, ConditionType, Reason
from trainingrun.status.fields import Attempt, Status
from trainingrun.status.recorded import Recorded

# Events hold no more: the API server refuses longer notes.
MAX_NOTE = 1024
_WARNINGS = frozenset({ConditionType.DATA_STARVED, ConditionType.FAILED})
# These are worth an event when they turn true. Others already report what Reconciling, Stalled and the like say.
_TOLD_WHEN_TRUE = frozenset(
    {
        ConditionType.ACCEPTED,
        ConditionType.ADMITTED,
        ConditionType.PODS_READY,
        ConditionType.DATA_STARVED,
        ConditionType.SUSPENDED,
        ConditionType.COMPLETE,
        ConditionType.FAILED,
    }
)
_PROBLEMS = REFUSALS | {Reason.CONTAINER_ERROR, Reason.UNSCHEDULABLE, Reason.IMAGE_PULL}


@dataclass(frozen=True)
class Event:
    """A Kubernetes event about a run."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def events_of(recorded: Recorded, status: Status) -> tuple[Event, ...]:
    """The events of the change from what is recorded to a new status."""
    before = {attempt.index: attempt for attempt in recorded.attempts}
    found = [event for attempt in status.attempts or () for event in _of_attempt(before.get(attempt.index), attempt)]
    for condition in status.conditions:
        found += _of_condition(recorded.conditions.get(condition.type), condition)
    return tuple(Event(event.type, event.reason, event.message[:MAX_NOTE]) for event in found)


def _of_attempt(before: Attempt | None, attempt: Attempt) -> Iterator[Event]:
    if attempt.head_restarts > (before.head_restarts if before else 0):
        words = f"The head of attempt {attempt.index} was lost and replaced; training resumes from its last checkpoint."
        yield Event("Warning", FailureClass.HEAD_LOST, words)
    if attempt.preemptions > (before.preemptions if before else 0):
        words = f"Attempt {attempt.index} was preempted; it continues when it gets new nodes."
        yield Event("Warning", FailureClass.PREEMPTED, words)
    if attempt.outcome == "Failed" and (before is None or before.outcome != "Failed"):
        where = f" on node {attempt.node}" if attempt.node else ""
        code = f" (exit code {attempt.exit_code})" if attempt.exit_code is not None else ""
        words = f"Attempt {attempt.index} failed{where}{code}: {attempt.message or attempt.failure_class}"
        yield Event("Warning", attempt.failure_class or FailureClass.INFRASTRUCTURE, words)


def _of_condition(before: Condition | None, condition: Condition) -> Iterator[Event]:
    was = before.status if before else "Unknown"
    if condition.status == "True":
        if was != "True" and condition.type in _TOLD_WHEN_TRUE:
            kind: Literal["Normal", "Warning"] = "Warning" if condition.type in _WARNINGS else "Normal"
            yield Event(kind, _told_reason(condition), condition.message)
        return
    is_other = before is None or before.reason != condition.reason
    if condition.type is ConditionType.ACCEPTED and condition.status == "False" and is_other:
        yield Event("Warning", condition.reason, condition.message)
    elif condition.type is ConditionType.PODS_READY and condition.reason in _PROBLEMS and is_other:
        yield Event("Warning", condition.reason, condition.message)
    elif condition.type is ConditionType.ADMITTED and condition.reason == Reason.QUEUED and is_other:
        yield Event("Normal", condition.reason, condition.message)
    elif condition.type is ConditionType.SUSPENDED and was == "True" and condition.reason != Reason.FINISHED:
        yield Event("Normal", "Resumed", "The run continues from its last checkpoint.")


def _told_reason(condition: Condition) -> str:
    return condition.reason if condition.reason else str(condition.type)
