"""Watches the head of a live attempt: a lost head is started again, and training on it, without a word.

KubeRay replaces its pod, and the kubelet starts its container again in the same pod: a head is known by the uid of its
pod and by how often its container has been started again there.
"""

from __future__ import annotations

from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import Failure, head_failure
from trainingrun.lifecycle.view import View
from trainingrun.observed import Pod, RayJob
from trainingrun.status.fields import Attempt, HeadFailure

_REMEMBERED = 10
# KubeRay has handed the driver to Ray. A head that does not get so far is limited by the attempt's start deadline.
_SUBMITTED = "Running"


def head_watched(view: View, entry: Attempt, job: RayJob) -> tuple[Attempt, tuple[Failure, ...]]:
    """The attempt with the head that it has now, and for each head that was lost since the last look, why."""
    head = view.children.head_of(entry.index, entry.head_pod_uid)
    if head is not None and head.uid == entry.head_pod_uid:
        return _restarts_watched(view, entry, job, head)
    entry = _with_head_failure(view, entry)
    # A cache may show a head of the past again; that is no change.
    if head is None or head.uid in (entry.former_head_pod_uids or ()):
        return entry, ()
    losses = (_loss(entry, job),) if entry.head_pod_uid is not None else ()
    return _with_head(entry, job, head), losses


def head_forgotten(entry: Attempt) -> Attempt:
    """The attempt after its cluster was preempted: the next head it gets replaces none."""
    return entry.model_copy(
        update={
            "head_pod_uid": None,
            "head_container_restarts": None,
            "former_head_pod_uids": _former(entry),
            "running_since": None,
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


def _restarts_watched(view: View, entry: Attempt, job: RayJob, head: Pod) -> tuple[Attempt, tuple[Failure, ...]]:
    known = entry.head_container_restarts
    # Of a status that another version has written, nothing is known; a cache may show fewer than there were.
    if known is not None and head.restarts <= known:
        return _with_head_failure(view, entry), ()
    update = {"head_container_restarts": head.restarts}
    if known is None or job.deployment_status != _SUBMITTED:
        return _with_head_failure(view, entry.model_copy(update=update)), ()
    words = f"Ray's container of pod {head.name}, the head, ended and was started again, with its driver"
    loss = head_failure(view.spec, head, view.now) or Failure(FailureClass.HEAD_LOST, words).at(head)
    restarted = entry.model_copy(update={**update, "running_since": None, "head_failure": None})
    return restarted, (loss,) * (head.restarts - known)


def _with_head_failure(view: View, entry: Attempt) -> Attempt:
    """The attempt with what its head's pod tells of its end: the pod may be gone when the loss is noticed."""
    if entry.head_failure is not None:
        return entry
    for pod in view.children.pods_of(entry.index):
        if pod.uid == entry.head_pod_uid and (failure := head_failure(view.spec, pod, view.now)) is not None:
            seen = HeadFailure(
                failure_class=failure.failure_class.value, message=failure.message, node=failure.node, pod=failure.pod
            )
            return entry.model_copy(update={"head_failure": seen})
    return entry


def _with_head(entry: Attempt, job: RayJob, head: Pod) -> Attempt:
    return entry.model_copy(
        update={
            "head_pod_uid": head.uid,
            "head_container_restarts": head.restarts,
            "former_head_pod_uids": _former(entry),
            "running_since": None,
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
