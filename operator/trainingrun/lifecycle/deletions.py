"""What is deleted of a run, as a table: which attempt an object belongs to, against how the newest attempt stands.

Whatever is deleted belongs to an attempt that status says has ended or is being ended, which never becomes untrue: a
decision made from a stale view deletes nothing that lives. Pods are never deleted: they go with their RayCluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from trainingrun.contract.labels import QUEUE_KEY
from trainingrun.lifecycle.attempt import has_ended, job_of
from trainingrun.lifecycle.attempt_list import AttemptList
from trainingrun.lifecycle.view import View
from trainingrun.observed import RayCluster, RayJob
from trainingrun.status.conditions import ConditionType
from trainingrun.status.fields import Attempt


@dataclass(frozen=True)
class ObjectReference:
    """One object, by its uid: not a different one that took its name."""

    kind: str
    namespace: str
    name: str
    uid: str


class Whose(Enum):
    """Which attempt an object belongs to, as seen from the newest one."""

    OLDER = auto()
    CURRENT = auto()
    REPLACED = auto()  # has the newest attempt's number, but is not the RayJob that status has recorded for it
    NEWER = auto()
    UNKNOWN = auto()  # ours, but no attempt can claim it


class Stands(Enum):
    """How the newest attempt stands."""

    LIVE = auto()
    STOPPING = auto()  # ends for the sake of a suspension
    ENDED = auto()  # another attempt may follow
    OVER = auto()  # and so is the run


class Rule(Enum):
    """What becomes of an object."""

    KEEP = auto()
    DELETE = auto()
    # KubeRay would go on with a RayJob that only the operator has given up; one that it is done with is for a look.
    DELETE_UNLESS_DONE = auto()
    # KubeRay makes the RayCluster of a RayJob that it still works on again.
    DELETE_AFTER_RAY_JOB = auto()
    # For as long as the run asks, a finished run's cluster is kept for a look at its logs.
    DELETE_AFTER_TTL = auto()


RAY_JOBS: Mapping[tuple[Whose, Stands], Rule] = {
    **{(Whose.OLDER, stands): Rule.DELETE for stands in Stands},
    (Whose.CURRENT, Stands.LIVE): Rule.KEEP,
    (Whose.CURRENT, Stands.STOPPING): Rule.DELETE,
    (Whose.CURRENT, Stands.ENDED): Rule.DELETE,
    (Whose.CURRENT, Stands.OVER): Rule.DELETE_UNLESS_DONE,
    # While the attempt lives, its own RayJob may only be missing from a cache that lags behind.
    (Whose.REPLACED, Stands.LIVE): Rule.KEEP,
    (Whose.REPLACED, Stands.STOPPING): Rule.DELETE,
    (Whose.REPLACED, Stands.ENDED): Rule.DELETE,
    (Whose.REPLACED, Stands.OVER): Rule.DELETE,
    **{(Whose.NEWER, stands): Rule.DELETE for stands in Stands},
    **{(Whose.UNKNOWN, stands): Rule.DELETE for stands in Stands},
}
# RayClusters are matched by number alone, so that none is REPLACED.
RAY_CLUSTERS: Mapping[tuple[Whose, Stands], Rule] = {
    **{(Whose.OLDER, stands): Rule.DELETE_AFTER_RAY_JOB for stands in Stands},
    (Whose.CURRENT, Stands.LIVE): Rule.KEEP,
    (Whose.CURRENT, Stands.STOPPING): Rule.DELETE_AFTER_RAY_JOB,
    (Whose.CURRENT, Stands.ENDED): Rule.DELETE_AFTER_RAY_JOB,
    (Whose.CURRENT, Stands.OVER): Rule.DELETE_AFTER_TTL,
    (Whose.NEWER, Stands.LIVE): Rule.KEEP,
    (Whose.NEWER, Stands.STOPPING): Rule.DELETE_AFTER_RAY_JOB,
    (Whose.NEWER, Stands.ENDED): Rule.DELETE_AFTER_RAY_JOB,
    (Whose.NEWER, Stands.OVER): Rule.DELETE_AFTER_RAY_JOB,
    (Whose.UNKNOWN, Stands.LIVE): Rule.KEEP,
    (Whose.UNKNOWN, Stands.STOPPING): Rule.DELETE_AFTER_RAY_JOB,
    (Whose.UNKNOWN, Stands.ENDED): Rule.DELETE_AFTER_RAY_JOB,
    (Whose.UNKNOWN, Stands.OVER): Rule.DELETE_AFTER_RAY_JOB,
}


def deletions(view: View, attempt_list: AttemptList) -> Iterator[ObjectReference]:
    """What must go, RayJobs first."""
    newest = attempt_list.newest
    if newest is None:
        return
    stands = _stands(newest, is_over=attempt_list.verdict is not None)
    jobs = [(_whose_ray_job(view, newest, number, job), job) for number, job in view.children.jobs.items()]
    for whose, job in [*((Whose.UNKNOWN, job) for job in view.children.strays), *jobs]:
        if not job.deleting and _ray_job_goes(RAY_JOBS[whose, stands], job):
            yield ObjectReference("RayJob", job.namespace, job.name, job.uid)
    for cluster in view.children.clusters:
        rule = RAY_CLUSTERS[_whose_ray_cluster(newest, cluster), stands]
        if not cluster.deleting and _ray_cluster_goes(rule, view, attempt_list, cluster):
            yield ObjectReference("RayCluster", cluster.namespace, cluster.name, cluster.uid)


def cluster_due(view: View, attempt_list: AttemptList) -> datetime | None:
    """When the RayCluster of a finished run must be deleted. A queue needs its quota back at once."""
    newest = attempt_list.newest
    if attempt_list.verdict is None or newest is None or newest.end_time is None:
        return None
    ttl = view.spec.cluster_ttl_seconds_after_finished
    seconds = ttl.on_success if attempt_list.verdict.kind is ConditionType.COMPLETE else ttl.on_failure
    return newest.end_time + timedelta(seconds=0 if QUEUE_KEY in view.run.labels else seconds)


def _stands(newest: Attempt, *, is_over: bool) -> Stands:
    if is_over:
        return Stands.OVER
    if newest.is_finished:
        return Stands.ENDED
    return Stands.STOPPING if newest.stopping else Stands.LIVE


def _whose_ray_job(view: View, newest: Attempt, number: int, job: RayJob) -> Whose:
    if number == newest.index:
        return Whose.CURRENT if job_of(view, newest) is job else Whose.REPLACED
    return Whose.OLDER if number < newest.index else Whose.NEWER


def _whose_ray_cluster(newest: Attempt, cluster: RayCluster) -> Whose:
    if cluster.attempt < 0:
        return Whose.UNKNOWN
    if cluster.attempt == newest.index:
        return Whose.CURRENT
    return Whose.OLDER if cluster.attempt < newest.index else Whose.NEWER


def _ray_job_goes(rule: Rule, job: RayJob) -> bool:
    if rule is Rule.DELETE_UNLESS_DONE:
        # One that KubeRay does not accept never had a cluster to look at.
        return not has_ended(job) or job.deployment_status == "ValidationFailed"
    return rule is Rule.DELETE


def _ray_cluster_goes(rule: Rule, view: View, attempt_list: AttemptList, cluster: RayCluster) -> bool:
    if rule is Rule.DELETE_AFTER_RAY_JOB:
        return cluster.attempt not in view.children.jobs
    if rule is Rule.DELETE_AFTER_TTL and attempt_list.newest is not None:
        job, due = job_of(view, attempt_list.newest), cluster_due(view, attempt_list)
        return due is not None and view.now >= due and (job is None or has_ended(job))
    return False
