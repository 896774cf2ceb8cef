"""When time alone may change what is to be done: the ends of deadlines, back-offs and times to live."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from trainingrun.contract.labels import QUEUE_KEY
from trainingrun.failures import LONGEST_BACKOFF
from trainingrun.lifecycle.attempt import job_of
from trainingrun.lifecycle.attempt_list import Ledger
from trainingrun.lifecycle.deadlines import KUBERAY_GRACE, MISSING_GRACE, active_deadline, progress_deadline, usage_at
from trainingrun.lifecycle.state import activity_of, state_of
from trainingrun.lifecycle.view import View
from trainingrun.status.conditions import ConditionType
from trainingrun.status.fields import Attempt

# A write or a creation that has been decided is looked after even if no event tells of it.
SOON = timedelta(seconds=5)


def next_look(view: View, ledger: Ledger, now: datetime) -> datetime | None:
    """The earliest time after `now` at which something is due; None when only events can change anything."""
    times = [time for time in _times(view, ledger) if time > now]
    return min(times, default=None)


def cluster_due(view: View, ledger: Ledger) -> datetime | None:
    """When the RayCluster of a finished run is to be deleted. A queue wants its machines back at once."""
    entry = ledger.current
    if ledger.verdict is None or entry is None or entry.end_time is None:
        return None
    ttl = view.spec.cluster_ttl_seconds_after_finished
    seconds = ttl.on_success if ledger.verdict.kind is ConditionType.COMPLETE else ttl.on_failure
    return entry.end_time + timedelta(seconds=0 if QUEUE_KEY in view.run.labels else seconds)


def _times(view: View, ledger: Ledger) -> Iterator[datetime]:
    entry = ledger.current
    if ledger.verdict is not None:
        due = cluster_due(view, ledger)
        if due is not None and any(not cluster.deleting for cluster in view.children.clusters):
            yield due
        return
    usage = usage_at(view.recorded.usage, activity_of(state_of(view, ledger)), view.now)
    deadline = active_deadline(view, usage)
    if deadline is not None:
        yield deadline
    if entry is not None:
        yield from _times_of(view, entry)


def _times_of(view: View, entry: Attempt) -> Iterator[datetime]:
    if entry.retry_time is not None:
        # No wait is longer than this: a later time is from a clock that has been set back since.
        yield min(entry.retry_time, view.now + LONGEST_BACKOFF)
    if entry.is_live and entry.ray_job_uid is None:
        yield view.now + SOON
    if entry.missing_since is not None:
        yield entry.missing_since + MISSING_GRACE
    silent = progress_deadline(view, entry)
    if silent is not None:
        yield silent
    job = job_of(view, entry)
    if entry.is_live and job is not None and job.deployment_status == "":
        yield job.created + KUBERAY_GRACE
