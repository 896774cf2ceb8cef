"""When the queue is asked why it holds a run back, and what it answered. It must not decide what follows.

Its answer changes without an event that the operator sees: it is asked again and again, less often with time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from trainingrun.lifecycle.attempt import job_of
from trainingrun.lifecycle.attempt_list import AttemptList
from trainingrun.lifecycle.view import View
from trainingrun.observed import RayJob

# The queue needs a moment before it knows of a new RayJob.
_SOONEST = timedelta(seconds=5)
_LATEST = timedelta(seconds=60)


def held_job(view: View, attempt_list: AttemptList) -> RayJob | None:
    """The RayJob of the newest attempt, if a queue holds it back."""
    entry = attempt_list.newest
    if entry is None or not entry.is_live or entry.stopping or entry.admitted or view.spec.suspend:
        return None
    job = job_of(view, entry)
    return job if job is not None and job.suspended else None


def asked_again(view: View, attempt_list: AttemptList) -> datetime | None:
    """When the queue is to be asked; None if it holds nothing back."""
    job = held_job(view, attempt_list)
    if job is None:
        return None
    if view.queue is None or view.queue.ray_job_uid != job.uid:
        return view.now
    asked = view.queue.asked.replace(microsecond=0)
    # One from the future is from a clock that has been set back since.
    return asked + min(max(asked - job.created, _SOONEST), _LATEST) if asked <= view.now else view.now


def queue_message(view: View, job: RayJob) -> str | None:
    """What the queue last said of this RayJob, or that it has long had nothing to say."""
    answer = view.queue
    if answer is None or answer.ray_job_uid != job.uid:
        return None
    if answer.is_unknown and answer.asked - job.created >= _LATEST:
        return "Kueue has made no Workload of it; does it manage the jobs of this namespace?"
    return answer.message
