"""Why not all pods are ready, with the message of whatever blocks them: quota, scheduler, kubelet, KubeRay."""

from __future__ import annotations

from dataclasses import dataclass

from trainingrun.contract.labels import QUEUE_KEY, RAY_DATA_VALUE, RAY_HEAD_VALUE, RAY_TRAINER_VALUE
from trainingrun.failures import image_wait
from trainingrun.failures.last_words import joined, last_words
from trainingrun.lifecycle.deadlines import KUBERAY_GRACE
from trainingrun.lifecycle.held_back import queue_message
from trainingrun.lifecycle.initial_checkpoint import initial_words
from trainingrun.lifecycle.permission import is_paused
from trainingrun.lifecycle.shared_folder import folder_words, holder_of
from trainingrun.lifecycle.view import View
from trainingrun.observed import Pod, RayJob, Termination
from trainingrun.status.conditions import REFUSALS, ConditionType, Reason
from trainingrun.status.fields import Attempt


@dataclass(frozen=True)
class Words:
    """A reason and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True)
class PodCount:
    """Ready pods of an attempt, and how many it will have."""

    ready: int
    wanted: int
    ready_data: int
    is_complete: bool

    def __str__(self) -> str:
        return f"{self.ready}/{self.wanted}"


def pods_counted(view: View, attempt: int) -> PodCount:
    """The attempt's pods. It is complete when every group has at least the size that the spec gives it."""
    ready = [pod.group for pod in view.children.pods_of(attempt) if pod.ready and not pod.deleting]
    needed = {
        RAY_HEAD_VALUE: 1,
        RAY_TRAINER_VALUE: view.spec.trainer.num_nodes,
        RAY_DATA_VALUE: view.spec.data.num_nodes,
    }
    workers = [cluster.desired_workers for cluster in view.children.clusters_of(attempt) if not cluster.deleting]
    return PodCount(
        ready=len(ready),
        wanted=max([sum(needed.values()), *(1 + desired for desired in workers)]),
        ready_data=ready.count(RAY_DATA_VALUE),
        is_complete=all(ready.count(group) >= count for group, count in needed.items()),
    )


def creation_words(view: View, attempt: int) -> Words | None:
    """What keeps the attempt's RayJob from being created, if anything does."""
    holder = holder_of(view)
    if holder is not None:
        return Words(Reason.FOLDER_IN_USE, folder_words(view, holder))
    missing = initial_words(view)
    if missing is not None:
        return Words(Reason.INITIAL_CHECKPOINT, missing)
    conflict = view.conflict_with(attempt)
    if conflict is not None:
        words = (
            f"RayJob {conflict.name} exists but is not this run's; delete it, or create the run with a different name."
        )
        return Words(Reason.NAME_CONFLICT, words)
    if view.refusal is not None:
        return Words(refusal_reason(*view.refusal), view.refusal[1])
    return _recorded_refusal(view)


def _recorded_refusal(view: View) -> Words | None:
    """The message of a refusal that this operator has not seen itself, or has forgotten in a restart."""
    entry = view.recorded.attempts[-1] if view.recorded.attempts else None
    recorded = view.recorded.conditions.get(ConditionType.PODS_READY)
    if entry is None or recorded is None or not is_paused(view, entry) or recorded.reason not in REFUSALS:
        return None
    return Words(recorded.reason, recorded.message)


def queue_words(view: View, entry: Attempt, job: RayJob) -> Words:
    """What holds a suspended RayJob back."""
    queue = view.run.labels.get(QUEUE_KEY)
    reason = Reason.PREEMPTED if entry.preemptions else Reason.QUEUED
    if queue is None:
        hint = f"the run has no label {QUEUE_KEY}, which may be required here"
        return Words(reason, f"RayJob {job.name} is suspended, but not by the operator; {hint}.")
    again = "again " if entry.preemptions else ""
    words = f'RayJob {job.name} is waiting to be admitted {again}by queue "{queue}"'
    message = queue_message(view, job)
    return Words(reason, f"{words}: {message}" if message else f"{words}.")


def pod_words(view: View, entry: Attempt, job: RayJob) -> Words:
    """What the pods of an admitted attempt are waiting for."""
    clusters = [cluster for cluster in view.children.clusters_of(entry.index) if not cluster.deleting]
    for cluster in clusters:
        if cluster.replica_failure is not None:
            return Words(refusal_reason(*cluster.replica_failure), cluster.replica_failure[1])
    pods = sorted(
        (pod for pod in view.children.pods_of(entry.index) if not pod.deleting), key=lambda pod: (pod.created, pod.name)
    )
    problem = _container_words(pods) or _scheduler_words(pods) or _helper_words(pods)
    if problem is not None:
        return problem
    if job.deployment_status == "" and view.now >= job.created + KUBERAY_GRACE:
        words = f"KubeRay has not acted on RayJob {job.name}; is its operator running and watching this namespace?"
        return Words(Reason.RAY_UNAVAILABLE, words)
    count = pods_counted(view, entry.index)
    return Words(Reason.PODS_STARTING, f"{count.ready} of {count.wanted} pods are ready.")


def _container_words(pods: list[Pod]) -> Words | None:
    waiting = [(pod, image_wait(pod) or pod.waiting[0]) for pod in pods if pod.waiting]
    # Those that wait for an image first.
    for pod, container in sorted(waiting, key=lambda found: image_wait(found[0]) is None):
        kind = Reason.IMAGE_PULL if image_wait(pod) else Reason.CONTAINER_ERROR
        words = f"{container.reason}: {container.message}" if container.message else container.reason
        return Words(kind, f"Pod {pod.name}: {words}{_last_end(pod)}")
    return None


def _last_end(pod: Pod) -> str:
    """How a container of the pod that keeps restarting ended, and the last line that it wrote."""
    return f"; {_end_words(pod.terminations[-1])}" if pod.terminations else ""


def _end_words(end: Termination) -> str:
    said = joined(f"exit code {end.exit_code}", end.reason, last_words(end.message).rpartition("\n")[2])
    return f"container {end.container} ended with {said}"


def _helper_words(pods: list[Pod]) -> Words | None:
    """A container that Ray lives without, and that nobody starts again: the autoscaler of an elastic run."""
    for pod in pods:
        if pod.lost_helper is not None and pod.is_working:
            words = f"Pod {pod.name}: {_end_words(pod.lost_helper)}; training goes on without it, in its present size"
            return Words(Reason.CONTAINER_ERROR, f"{words}.")
    return None


def _scheduler_words(pods: list[Pod]) -> Words | None:
    for pod in pods:
        if pod.unschedulable is not None:
            # Of a claim that is not there the scheduler says so twice.
            words = pod.unschedulable.replace("not found. not found", "not found.")
            return Words(Reason.UNSCHEDULABLE, f"Pod {pod.name}: {words}")
    return None


# What the API server's admission plugins and authorizer write, most telling first.
_WORDS: tuple[tuple[str, Reason], ...] = (
    ("exceeded quota", Reason.QUOTA_EXCEEDED),
    ("failed quota", Reason.QUOTA_EXCEEDED),
    ("violates podsecurity", Reason.POD_SECURITY_DENIED),
    ("admission webhook", Reason.ADMISSION_DENIED),
    ("validatingadmissionpolicy", Reason.ADMISSION_DENIED),
    ("cannot create resource", Reason.PERMISSION_DENIED),
    ("cannot delete resource", Reason.PERMISSION_DENIED),
    ("no matches for kind", Reason.RAY_UNAVAILABLE),
    ("could not find the requested resource", Reason.RAY_UNAVAILABLE),
    # Of pods, which KubeRay creates.
    (" is invalid: ", Reason.RENDER_REJECTED),
)


_REASONS = {
    "NameConflict": Reason.NAME_CONFLICT,
    "NotFound": Reason.RAY_UNAVAILABLE,
    "Invalid": Reason.RENDER_REJECTED,
    "BadRequest": Reason.RENDER_REJECTED,
}


def refusal_reason(reason: str, message: str) -> Reason:
    """The reason for the message of a refusal: the API server's own reason alone says little (Forbidden)."""
    lowered = message.lower()
    found = next((known for words, known in _WORDS if words in lowered), None)
    return found or _REASONS.get(reason, Reason.REFUSED)
