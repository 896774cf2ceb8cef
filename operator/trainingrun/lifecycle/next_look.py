"""When time alone may change what must be done: the ends of deadlines, back-offs and times to live."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from trainingrun.failures import LONGEST_BACKOFF
from trainingrun.lifecycle.attempt import job_of
from trainingrun.lifecycle.attempt_list import AttemptList
from trainingrun.lifecycle.deadlines import KUBERAY_GRACE, active_deadline, progress_deadline
from trainingrun.lifecycle.deletions import cluster_due
from trainingrun.lifecycle.held_back import asked_again
from trainingrun.lifecycle.permission import SLOWEST_RETRY
from trainingrun.lifecycle.stalls import stall_times
from trainingrun.lifecycle.view import View
from trainingrun.status.fields import Attempt, Usage

# A write or a creation that has been decided on is followed up even if no event reports it.
SOON = timedelta(seconds=5)
# Whether other runs are heard again is looked at so often.
LISTENED = timedelta(seconds=60)


def next_look(view: View, attempt_list: AttemptList, usage: Usage | None, now: datetime) -> datetime | None:
    """The earliest time after `now` at which something is due; None when only events can change anything.

    `usage` is the account of the run's time as it is written now.
    """
    return min((time for time in _times(view, attempt_list, usage) if time > now), default=None)


def _times(view: View, attempt_list: AttemptList, usage: Usage | None) -> Iterator[datetime]:
    if attempt_list.verdict is not None:
        due = cluster_due(view, attempt_list)
        if due is not None and any(not cluster.deleting for cluster in view.children.clusters):
            yield due
        return
    deadline = active_deadline(view, usage) if usage is not None else None
    if deadline is not None:
        yield deadline
    yield from stall_times(view, attempt_list)
    asking = asked_again(view, attempt_list)
    if asking is not None:
        yield asking
    if attempt_list.suspected is not None:
        yield attempt_list.suspected.until
    if attempt_list.newest is not None:
        yield from _times_of(view, attempt_list.newest)


def _times_of(view: View, entry: Attempt) -> Iterator[datetime]:
    # No wait is longer than these: a later time is from a clock that has been set back since.
    if entry.retry_time is not None:
        yield min(entry.retry_time, view.now + LONGEST_BACKOFF)
    if entry.create_retry_time is not None:
        yield min(entry.create_retry_time, view.now + SLOWEST_RETRY)
    if entry.is_live and entry.ray_job_uid is None and view.is_valid:
        yield view.now + SOON
    silent = progress_deadline(view, entry)
    if silent is not None:
        # One that is silent while all are may be the only one that stays silent.
        yield silent if silent > view.now else view.now + LISTENED
    job = job_of(view, entry)
    if entry.is_live and job is not None and job.deployment_status == "":
        yield job.created + KUBERAY_GRACE
