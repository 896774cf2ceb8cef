"""Whether another attempt may begin, and what has to be proved first: the one place that permits a RayJob.

There are never two live attempts of a run, nor two of this cluster's runs in one folder, nor one that does not know
what to start from. An attempt is recorded in
status once nothing of the run exists and its back-off is over, and its RayJob is created only with a proof that no
other attempt can be alive. What a cache shows is no proof. How a proof is obtained is the engine's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from trainingrun.failures import LONGEST_BACKOFF
from trainingrun.lifecycle.initial_checkpoint import initial_location, initial_words
from trainingrun.lifecycle.shared_folder import holder_of
from trainingrun.lifecycle.view import View
from trainingrun.status.fields import MAX_INDEX, Attempt

# How long the RayJob of a first attempt may take from its creation into the caller's view, before it is made sure of.
FIRST_SIGHT = timedelta(seconds=3)
# What the API server refuses is retried after these pauses, less and less often.
FASTEST_RETRY = timedelta(seconds=15)
SLOWEST_RETRY = timedelta(seconds=300)


@dataclass(frozen=True)
class FirstWrite:
    """Writing this very status is the proof: it fails if anybody else has written, so this is the first attempt."""


@dataclass(frozen=True)
class FreshRead:
    """The API server has to be asked: nothing else of the run exists, and the run is as it was seen."""


Proof = FirstWrite | FreshRead


@dataclass(frozen=True)
class Creation:
    """The permission to create the RayJob of an attempt, once `proof` is obtained.

    `initial_checkpoint` is what the run starts from while it has no checkpoint of its own.
    """

    attempt: int
    proof: Proof
    initial_checkpoint: str | None = None


def may_be_recorded(view: View, last: Attempt | None) -> bool:
    """Whether the attempt after `last`, which has ended, may be recorded."""
    if not view.is_valid or holder_of(view) is not None or initial_words(view) is not None:
        return False
    if last is not None and (backs_off(view, last) or last.index >= MAX_INDEX):
        return False
    return view.children.all_gone


def creation(view: View, newest: Attempt | None, *, is_over: bool) -> Creation | None:
    """The permission to create the RayJob of `newest`, the attempt that the status of this decision has last."""
    if newest is None or is_over or not view.is_valid or not view.children.all_gone:
        return None
    if holder_of(view) is not None or initial_words(view) is not None:
        return None
    if not newest.is_live or newest.ray_job_uid is not None or view.conflict_with(newest.index) is not None:
        return None
    recorded = view.recorded.attempts[-1] if view.recorded.attempts else None
    if recorded is None:
        is_first = newest.index == 0 and view.refusal is None
        return Creation(0, FirstWrite(), initial_location(view)) if is_first else None
    if recorded.index != newest.index or _must_wait(view, recorded):
        return None
    return Creation(newest.index, FreshRead(), initial_location(view))


def backs_off(view: View, last: Attempt) -> bool:
    """Whether a failed attempt's back-off is not over yet; a clock that was set back must not prolong it."""
    if last.outcome != "Failed" or last.retry_time is None:
        return False
    return view.now < last.retry_time <= view.now + LONGEST_BACKOFF


def paced(view: View, pending: Attempt) -> Attempt:
    """An attempt whose RayJob does not exist yet, with the time of the next try if the API server refuses it."""
    if view.refusal is None or is_paused(view, pending):
        return pending
    wait = min(max(view.elapsed(pending.recorded_time), FASTEST_RETRY), SLOWEST_RETRY)
    return pending.model_copy(update={"create_retry_time": view.now + wait})


def is_paused(view: View, pending: Attempt) -> bool:
    """Whether creating the attempt's RayJob was refused and must not be retried yet."""
    due = pending.create_retry_time
    return due is not None and view.now < due <= view.now + SLOWEST_RETRY


def _must_wait(view: View, recorded: Attempt) -> bool:
    if view.refusal is not None and recorded.create_retry_time is None:
        return True
    if is_paused(view, recorded):
        return True
    # Its creation, which needed no look at what exists, is probably on its way into view.
    began = recorded.recorded_time
    return recorded.index == 0 and began is not None and began <= view.now < began + FIRST_SIGHT
