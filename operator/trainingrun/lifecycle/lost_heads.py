"""Watches the head of a live attempt: KubeRay replaces a lost head, and starts training again, without a word."""

from __future__ import annotations

from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import Failure, head_failure
from trainingrun.lifecycle.view import View
from trainingrun.observed import Pod, RayJob
from trainingrun.status.fields import Attempt, HeadFailure

_REMEMBERED = 10


def head_watched(view: View, entry: Attempt, job: RayJob) -> tuple[Attempt, Failure | None]:
    """The attempt with the head that it has now, and why the head before it was lost if this is another one."""
    entry = _with_head_failure(view, entry)
    head = view.children.head_of(entry.index)
    # A cache may show a head of the past again; that is no change.
    if head is None or head.uid == entry.head_pod_uid or head.uid in (entry.former_head_pod_uids or ()):
        return entry, None
    loss = _loss(entry, job) if entry.head_pod_uid is not None else None
    return _with_head(view, entry, job, head), loss


def head_forgotten(entry: Attempt) -> Attempt:
    """The attempt after its cluster was preempted: the next head it gets replaces none."""
    return entry.model_copy(
        update={
            "head_pod_uid": None,
            "former_head_pod_uids": _former(entry),
            "head_time": None,
            "head_failure": None,
            "ray_cluster_name": None,
        }
    )


def seen_failure(entry: Attempt) -> Failure | None:
    """What was seen of the end of the attempt's present head."""
    seen = entry.head_failure
    if seen is None:
        return None
    # A later version may have recorded a class that this one does not know.
    failure_class = FailureClass.of(seen.failure_class) or FailureClass.INFRASTRUCTURE
    return Failure(failure_class, seen.message, node=seen.node, pod=seen.pod)


def _with_head_failure(view: View, entry: Attempt) -> Attempt:
    """The attempt with what its head's pod tells of its end: the pod may be gone when the loss is noticed."""
    if entry.head_failure is not None:
        return entry
    for pod in view.children.pods_of(entry.index):
        if pod.uid == entry.head_pod_uid and (failure := head_failure(view.spec, pod)) is not None:
            seen = HeadFailure(
                failure_class=failure.failure_class.value, message=failure.message, node=failure.node, pod=failure.pod
            )
            return entry.model_copy(update={"head_failure": seen})
    return entry


def _with_head(view: View, entry: Attempt, job: RayJob, head: Pod) -> Attempt:
    return entry.model_copy(
        update={
            "head_pod_uid": head.uid,
            "former_head_pod_uids": _former(entry),
            "head_time": view.now,
            "head_failure": None,
            "ray_cluster_name": job.ray_cluster_name or None,
        }
    )


def _loss(entry: Attempt, job: RayJob) -> Failure:
    before, now = entry.ray_cluster_name, job.ray_cluster_name
    if before and now and before != now:
        return Failure(FailureClass.PREEMPTED, f"RayCluster {before} was preempted and replaced by {now}")
    lost = Failure(
        FailureClass.HEAD_LOST, f"the head of RayCluster {now or before} was lost and replaced, with its driver"
    )
    return seen_failure(entry) or lost


def _former(entry: Attempt) -> tuple[str, ...] | None:
    former = (*(entry.former_head_pod_uids or ()), *((entry.head_pod_uid,) if entry.head_pod_uid else ()))
    return former[-_REMEMBERED:] or None
