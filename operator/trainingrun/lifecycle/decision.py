"""What follows for a run from what is known of it: the one door through which every decision is made.

Pure: the time is an argument. The caller writes the status first, so that how an attempt ended is on record before its
RayJob is deleted, then deletes, then creates; nothing of a decision may be carried out when that write has failed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from trainingrun.lifecycle.attempt_list import AttemptList, attempts_of
from trainingrun.lifecycle.deletions import ObjectReference, deletions
from trainingrun.lifecycle.events import Event, events_of
from trainingrun.lifecycle.held_back import asked_again, held_job
from trainingrun.lifecycle.initial_checkpoint import initial_words, named_run
from trainingrun.lifecycle.new_status import new_status, written_part
from trainingrun.lifecycle.next_look import next_look
from trainingrun.lifecycle.permission import Creation, creation
from trainingrun.lifecycle.shared_folder import holder_of
from trainingrun.lifecycle.view import View, view_of
from trainingrun.observed import Observed, RunObject
from trainingrun.status.fields import Status
from trainingrun.status.recorded import Recorded


@dataclass(frozen=True)
class Decision:
    """What to do about a run, in the order of the fields.

    `status` is the whole status that the operator writes, None where the one that is there says the same; `events` are
    what is worth a Kubernetes event once it is written. `create` is the one RayJob that may be created. `look_again`
    is when time alone may change the decision. With `read`, the name of a RayJob, none of it may be carried out before
    that RayJob and its pods are read afresh and a decision about what they are now says so too. `waits_for` is the
    (namespace, name) of a run whose end, or creation, may let this one begin. `ask_queue` is the uid of a RayJob of
    which the queue's own words are wanted first; without an answer, the decision stands.
    """

    status: dict[str, Any] | None = None
    events: tuple[Event, ...] = ()
    delete: tuple[ObjectReference, ...] = ()
    create: Creation | None = None
    look_again: datetime | None = None
    read: str | None = None
    waits_for: tuple[str, str] | None = None
    ask_queue: str | None = None


def decide(run: RunObject, observed: Observed, now: datetime) -> Decision:
    """The decision about a run.

    One that is being deleted is left alone: everything of it is the garbage collector's. Of one whose spec is invalid
    nothing is created; what exists is managed as of any other.
    """
    if run.deleting:
        return Decision()
    view = view_of(run, observed, now)
    attempt_list = attempts_of(view)
    status = new_status(view, attempt_list)
    holder = holder_of(view) if attempt_list.verdict is None else None
    return replace(
        _with_status(run, view.recorded, status),
        delete=tuple(deletions(view, attempt_list)),
        create=creation(view, attempt_list.newest, is_over=attempt_list.verdict is not None),
        look_again=next_look(view, attempt_list, status.usage, now),
        read=attempt_list.newest.ray_job_name if attempt_list.newest and attempt_list.read else None,
        waits_for=(holder.namespace, holder.name) if holder is not None else _missing(view, attempt_list),
        ask_queue=_asked_about(view, attempt_list),
    )


def _missing(view: View, attempt_list: AttemptList) -> tuple[str, str] | None:
    """The run that this one is to start from, which may still come."""
    name = named_run(view) if attempt_list.verdict is None and initial_words(view) is not None else None
    return (view.run.namespace, name) if name is not None else None


def _asked_about(view: View, attempt_list: AttemptList) -> str | None:
    held, due = held_job(view, attempt_list), asked_again(view, attempt_list)
    return held.uid if held is not None and due is not None and due <= view.now else None


def _with_status(run: RunObject, recorded: Recorded, status: Status) -> Decision:
    """The status, if it says something else than the one that is there, and the events that it is worth."""
    written = status.to_json()
    if written == written_part(run.status):
        return Decision()
    return Decision(status=written, events=events_of(recorded, status))
