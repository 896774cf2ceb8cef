"""What a run waits for that does not go away by itself: the condition Stalled, which asks for a user.

Some of it is certain at once. The rest heals often enough to be waited for, and is a stall once it has lasted.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from trainingrun.lifecycle.attempt import job_of
from trainingrun.lifecycle.attempt_list import AttemptList
from trainingrun.lifecycle.view import View
from trainingrun.lifecycle.waiting import Words, creation_words, pod_words
from trainingrun.status.conditions import REFUSALS, Reason
from trainingrun.status.fields import Attempt

# How long an obstacle that may go away by itself has to last.
LASTING = timedelta(hours=1)
# The spec cannot change, and nobody but a user deletes what is not the run's.
_CERTAIN = frozenset({Reason.RENDER_REJECTED, Reason.NAME_CONFLICT})


def stall_of(view: View, attempt_list: AttemptList) -> Words | None:
    """What a run that is not over cannot get past without a user."""
    entry = attempt_list.newest
    if view.spec.suspend and view.children.all_gone:
        return None
    if entry is not None and entry.is_live and entry.ray_job_uid is not None:
        return _without_pods(view, entry)
    return _without_runtime(view) or _refused(view, entry) or _held_by_a_pod(view)


def stall_times(view: View, attempt_list: AttemptList) -> Iterator[datetime]:
    """When what the run waits for now will have lasted too long. Refusals are looked at again anyway."""
    entry = attempt_list.newest
    if view.adoption.missing is not None:
        yield view.run.created + LASTING
    job = job_of(view, entry) if entry is not None else None
    if entry is not None and entry.admitted and job is not None and job.deployment_status == "":
        yield job.created + LASTING
    yield from (pod.due + LASTING for pod in view.children.pods if pod.due is not None)


def _without_pods(view: View, entry: Attempt) -> Words | None:
    """What keeps an attempt from its pods that its start deadline does not end, or ends although that is certain."""
    job = job_of(view, entry)
    if job is None or not entry.admitted or entry.outcome == "Running":
        return None
    words = pod_words(view, entry, job)
    lasts = words.reason == Reason.RAY_UNAVAILABLE and view.elapsed(job.created) >= LASTING
    return words if lasts or words.reason in _CERTAIN else None


def _without_runtime(view: View) -> Words | None:
    """A runtime that nobody creates; usually it comes with the run, or right after it."""
    missing = view.adoption.missing
    if missing is None or view.elapsed(view.run.created) < LASTING:
        return None
    return Words(Reason.RUNTIME_NOT_FOUND, missing)


def _refused(view: View, entry: Attempt | None) -> Words | None:
    if entry is not None and not entry.is_live:
        return None
    words = creation_words(view, 0 if entry is None else entry.index)
    if words is None or words.reason in _CERTAIN:
        return words
    lasts = view.elapsed(entry.recorded_time) if entry is not None else timedelta()
    return words if words.reason in REFUSALS and lasts >= LASTING else None


def _held_by_a_pod(view: View) -> Words | None:
    """The pod of an earlier attempt that was to be gone long ago: its node does not answer."""
    late = [pod for pod in view.children.pods if pod.due is not None and view.now >= pod.due + LASTING]
    if not late:
        return None
    pod = min(late, key=lambda pod: (pod.due, pod.name))
    where = f" on node {pod.node}" if pod.node else ""
    words = (
        f"Pod {pod.name}{where} was to be gone at {pod.due:%Y-%m-%d %H:%M:%S} UTC, and nothing starts beside it; "
        "once its node is certainly off, delete the pod with --force, or the node."
    )
    return Words(Reason.POD_STUCK, words)
