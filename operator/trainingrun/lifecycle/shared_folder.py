"""Which of the runs that name one folder in storage may train there: the first one, and the others wait for its end.

Runs of another cluster are not seen here. Against those, the training program keeps a file in the folder.
"""

from __future__ import annotations

from datetime import datetime

from trainingrun.lifecycle.view import View
from trainingrun.observed import RunObject, Sharer
from trainingrun.status.recorded import recorded_of
from trainingrun.status.trainer_report import folder_uri

# Who has begun comes before who has not, then who is older; no two runs are equal.
_Rank = tuple[bool, datetime, str]


def holder_of(view: View) -> RunObject | None:
    """The run that has this one's folder now, if another has.

    All of them get the same answer from the same view, whichever is asked about first.
    """
    mine = _rank(view.run, view.now, is_chosen=view.is_chosen)
    before = [
        (rank, sharer.run)
        for sharer in view.sharers
        if (rank := _rank(sharer.run, view.now, is_chosen=sharer.is_chosen)) < mine and _holds(sharer, rank, view.now)
    ]
    return min(before, key=lambda found: found[0])[1] if before else None


def folder_words(view: View, holder: RunObject) -> str:
    """Whom the run waits for, in a sentence."""
    uri, whose = folder_uri(view.spec.storage, view.run.uid), f"{holder.namespace}/{holder.name}"
    is_over = recorded_of(holder.status, view.now).verdict is not None
    until = "the last pods of that one are gone" if is_over else "that one has ended or is deleted"
    return f"Run {whose} has the folder {uri} (spec.storage.runName); this run begins once {until}."


def _rank(run: RunObject, now: datetime, *, is_chosen: bool) -> _Rank:
    has_begun = is_chosen or bool(recorded_of(run.status, now).attempts)
    return (not has_begun, run.created, run.uid)


def _holds(sharer: Sharer, rank: _Rank, now: datetime) -> bool:
    """Whether it may write to the folder, now or later."""
    if sharer.is_leaving:
        return True
    has_begun = not rank[0]
    # One that has not begun never will, if it is deleted or invalid.
    may_begin = not sharer.run.deleting and sharer.run.run is not None
    return recorded_of(sharer.run.status, now).verdict is None and (has_begun or may_begin)
