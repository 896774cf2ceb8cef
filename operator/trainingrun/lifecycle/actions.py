"""The plan for a run: at most one RayJob to create, and what must go.

Whatever is deleted belongs to an attempt that status says has ended, which never becomes untrue; so a plan made from
a stale view deletes nothing that lives. A RayJob is created only for an attempt that the caller's own view of the
status already shows as the newest one, or that the caller is the first to record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from trainingrun.lifecycle.attempt import has_ended, job_of
from trainingrun.lifecycle.attempt_list import Ledger, ledger_of
from trainingrun.lifecycle.deadlines import is_paused
from trainingrun.lifecycle.next_look import cluster_due, next_look
from trainingrun.lifecycle.view import View, view_of
from trainingrun.observed import Observed, RayCluster, RunObject
from trainingrun.status.fields import Attempt

# How long the RayJob of a first attempt may take from its creation into the caller's view, before it is made sure of.
FIRST_SIGHT = timedelta(seconds=3)


@dataclass(frozen=True)
class ObjectReference:
    """One object, by its uid: another one that took its name is not meant."""

    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class Plan:
    """What to do, in the order of the fields reversed: delete, then create.

    `create` is the attempt whose RayJob is to be created; with `confirm_gone` only after a consistent read has shown
    that nothing else of the run exists. `look_again` is when time alone may change the plan.
    """

    create: int | None = None
    confirm_gone: bool = False
    delete: tuple[ObjectReference, ...] = ()
    look_again: datetime | None = None


def desired_state(run: RunObject, observed: Observed, now: datetime) -> Plan:
    """The plan for a run. Nothing is done for one that is being deleted, or whose spec is invalid."""
    if run.deleting or run.run is None:
        return Plan()
    view = view_of(run, run.run.spec, observed, now)
    ledger = ledger_of(view)
    create, confirm_gone = creation(view, ledger)
    return Plan(
        create=create,
        confirm_gone=confirm_gone,
        delete=tuple(deletions(view, ledger)),
        look_again=next_look(view, ledger, now),
    )


def creation(view: View, ledger: Ledger) -> tuple[int | None, bool]:
    """The attempt whose RayJob is to be created, and whether the API server has to be asked first."""
    entry = ledger.current
    if entry is None or ledger.verdict is not None or not view.children.all_gone:
        return None, False
    if not entry.is_live or entry.ray_job_uid is not None or view.conflict_with(entry.index) is not None:
        return None, False
    recorded = view.recorded.attempts[-1] if view.recorded.attempts else None
    if recorded is None:
        # The write of this very status, which fails if anybody else has written, makes sure that this is the first.
        is_first = entry.index == 0 and view.refusal is None
        return (0, False) if is_first else (None, False)
    if recorded.index != entry.index or _must_wait(view, recorded):
        return None, False
    return entry.index, True


def _must_wait(view: View, recorded: Attempt) -> bool:
    if view.refusal is not None and recorded.retry_time is None:
        return True
    if is_paused(view, recorded):
        return True
    # Its creation, which needed no look at what exists, is probably on its way into view.
    began = recorded.recorded_time
    return recorded.index == 0 and began is not None and began <= view.now < began + FIRST_SIGHT


def deletions(view: View, ledger: Ledger) -> Iterator[ObjectReference]:
    """RayJobs first: KubeRay makes the RayCluster of a RayJob that it still works on anew."""
    children = view.children
    over = [*children.strays, *(job for attempt, job in children.jobs.items() if _is_over(view, ledger, attempt))]
    for job in over:
        if not job.deleting:
            yield ObjectReference("RayJob", job.namespace, job.name, job.uid)
    for cluster in children.clusters:
        if not cluster.deleting and _is_left_over(view, ledger, cluster):
            yield ObjectReference("RayCluster", cluster.namespace, cluster.name, cluster.uid)


def _is_over(view: View, ledger: Ledger, attempt: int) -> bool:
    """Whether an attempt's RayJob has to go: the attempt has ended, and it is not what is kept of a finished run."""
    entry = ledger.current
    if entry is None:
        return False
    if attempt != entry.index:
        return True
    job = job_of(view, entry)
    if job is None:
        # Another one took its name. It goes once the attempt's own is sure to be gone.
        return entry.is_finished
    if ledger.verdict is not None:
        # KubeRay would go on with a RayJob that only the operator has given up.
        return not has_ended(job) or job.deployment_status == "ValidationFailed"
    return not entry.is_live


def _is_left_over(view: View, ledger: Ledger, cluster: RayCluster) -> bool:
    """Whether a RayCluster has to go by itself: nobody is left who would delete it, or its time is over."""
    entry = ledger.current
    if entry is None or (entry.is_live and not 0 <= cluster.attempt < entry.index):
        return False
    if ledger.verdict is not None and cluster.attempt == entry.index:
        job, due = job_of(view, entry), cluster_due(view, ledger)
        return due is not None and view.now >= due and (job is None or has_ended(job))
    return cluster.attempt not in view.children.jobs
