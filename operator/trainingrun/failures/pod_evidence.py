"""What pods tell of a failure: preempted, killed for memory, evicted, without an image, or ended in another way."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trainingrun.contract.failure_class import FailureClass
from trainingrun.contract.labels import RAY_DATA_VALUE, RAY_HEAD_VALUE, RAY_TRAINER_VALUE
from trainingrun.failures.failure import Failure
from trainingrun.failures.last_words import joined
from trainingrun.observed import Pod, Termination
from trainingrun.spec.groups import Resources
from trainingrun.spec.run import RunSpec

_OOM_KILLED = "OOMKilled"
# The kubelet evicts pods because of what they or their neighbours use. That is not a preemption: the next attempt may
# well do the same, so it must count.
_EVICTED = "Evicted"
# The autoscaler has a container of its own in the head's pod; Ray lives without it.
_SIDE_CONTAINERS = frozenset({"autoscaler"})
# The kubelet's reasons, from pkg/kubelet/images/types.go.
_IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_FINAL_IMAGE_REASONS = frozenset({"ErrImageNeverPull", "InvalidImageName"})
# What registries and container runtimes say about an image that does not exist or is not for us. A registry that cannot
# be reached says none of it.
_FINAL_IMAGE_WORDS = ("not found", "unauthorized", "denied", "manifest unknown")

Finder = Callable[[Pod], Failure | None]


def preempted(pod: Pod) -> Failure | None:
    """The pod was preempted for reasons of the cluster."""
    if pod.disrupted is None or pod.status_reason == _EVICTED:
        return None
    return Failure(FailureClass.PREEMPTED, joined(f"pod {pod.name}{_on(pod)} was disrupted", pod.disrupted)).at(pod)


def evicted(pod: Pod) -> Failure | None:
    """The kubelet evicted the pod because its node ran out of a resource."""
    if pod.status_reason != _EVICTED:
        return None
    words = joined(f"pod {pod.name}{_on(pod)} was evicted", pod.status_message)
    return Failure(FailureClass.INFRASTRUCTURE, words).at(pod)


def out_of_memory(spec: RunSpec) -> Finder:
    """A container of the pod was killed at its memory limit, with the limit and where it is set."""

    def find(pod: Pod) -> Failure | None:
        ended = next((end for end in _ends(pod) if end.reason == _OOM_KILLED), None)
        if ended is None:
            return None
        limit = _memory_limit(spec, pod.group)
        words = f"container {ended.container} of pod {pod.name}{_on(pod)} was killed for using more memory than {limit}"
        return Failure(FailureClass.OUT_OF_MEMORY, joined(words)).at(pod)

    return find


def broken(pod: Pod) -> Failure | None:
    """The pod or a container of it ended in a way that has no class of its own."""
    ended = next(iter(_ends(pod)), None)
    if ended is not None:
        words = f"container {ended.container} of pod {pod.name}{_on(pod)} ended with exit code {ended.exit_code}"
        return Failure(FailureClass.INFRASTRUCTURE, joined(words, ended.reason)).at(pod)
    if pod.phase == "Failed":
        words = joined(f"pod {pod.name}{_on(pod)} failed", pod.status_reason, pod.status_message)
        return Failure(FailureClass.INFRASTRUCTURE, words).at(pod)
    return None


def waits_for_image(pod: Pod) -> bool:
    """Whether a container of the pod waits for its image."""
    return pod.waiting is not None and pod.waiting[0] in _IMAGE_REASONS


def image_not_pulled(pod: Pod) -> Failure | None:
    """The pod waits for an image: the failure that this is once waiting for it is over."""
    return Failure(FailureClass.IMAGE_PULL, joined(*(pod.waiting or ()))).at(pod) if waits_for_image(pod) else None


def image_never_pulled(pod: Pod) -> Failure | None:
    """The pod waits for an image that will still be missing however long anybody waits."""
    reason, message = pod.waiting or ("", "")
    is_final = reason in _FINAL_IMAGE_REASONS or any(words in message.lower() for words in _FINAL_IMAGE_WORDS)
    return image_not_pulled(pod) if is_final else None


def first(find: Finder, pods: Iterable[Pod]) -> Failure | None:
    """The first that a kind of evidence finds in pods."""
    return next((failure for failure in map(find, pods) if failure is not None), None)


def head_failure(spec: RunSpec, head: Pod) -> Failure | None:
    """What the head's pod reveals about its own end, if anything."""
    for find in (preempted, out_of_memory(spec), evicted):
        failure = find(head)
        if failure is not None:
            return failure
    return None


def doubled_head(pods: Iterable[Pod]) -> Failure | None:
    """Two heads in one RayCluster: KubeRay does nothing more for the cluster until one of them is gone.

    KubeRay 1.6 makes the second one when the API server becomes unavailable before it has reported the first.
    """
    heads: dict[str, Pod] = {}
    for pod in pods:
        if pod.group != RAY_HEAD_VALUE or pod.deleting:
            continue
        # All pods of one RayCluster's head have their name up to the generated end.
        other = heads.setdefault(pod.name.rpartition("-")[0], pod)
        if other is not pod:
            names = " and ".join(sorted((other.name, pod.name)))
            message = f"KubeRay made two heads, {names}, and continues with neither of them"
            return Failure(FailureClass.INFRASTRUCTURE, message).at(pod)
    return None


def trainers(pods: Iterable[Pod]) -> list[Pod]:
    """The pods that train: what ended one of them would repeat itself, although Ray would restart the training."""
    return [pod for pod in pods if pod.group == RAY_TRAINER_VALUE]


def _ends(pod: Pod) -> Iterable[Termination]:
    return (end for end in pod.terminations if end.container not in _SIDE_CONTAINERS)


def _on(pod: Pod) -> str:
    return f" on node {pod.node}" if pod.node else ""


def _memory_limit(spec: RunSpec, group: str) -> str:
    resources: dict[str, tuple[str, Resources]] = {
        RAY_HEAD_VALUE: ("spec.head.resources", spec.head.resources),
        RAY_TRAINER_VALUE: ("spec.trainer.resourcesPerNode", spec.trainer.resources_per_node),
        RAY_DATA_VALUE: ("spec.data.resourcesPerNode", spec.data.resources_per_node),
    }
    if group not in resources:
        return "its limit"
    path, given = resources[group]
    return f"its limit, which is {given.limits['memory']} ({path}.limits.memory)"
