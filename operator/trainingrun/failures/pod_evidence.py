"""What pods tell of a failure: preempted, killed for memory, evicted, without an image, or ended in another way.

Only what is said of containers that this project renders counts, and only when it was said near the attempt's end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from trainingrun.contract.exits import Exit
from trainingrun.contract.failure_class import FailureClass
from trainingrun.contract.labels import RAY_DATA_VALUE, RAY_HEAD_VALUE, RAY_TRAINER_VALUE
from trainingrun.contract.pods import CODE_CONTAINER, HEAD_CONTAINER, WORKER_CONTAINER
from trainingrun.failures.failure import Failure
from trainingrun.failures.last_words import joined
from trainingrun.observed import Pod, Termination, Waiting
from trainingrun.spec.groups import Resources
from trainingrun.spec.run import RunSpec

# Others (KubeRay's init container, the autoscaler, sidecars of meshes and storage) may end without harm to training.
_RAY_CONTAINERS = frozenset({HEAD_CONTAINER, WORKER_CONTAINER})
# Those that have the run's image: Ray's, the one before it, and those that KubeRay adds.
_IMAGE_CONTAINERS = _RAY_CONTAINERS | {CODE_CONTAINER, "wait-gcs-ready", "autoscaler"}
# A cause lies at most so long before the end of an attempt: Ray notices a lost node within a minute. And a node's clock
# may be a bit ahead of the head's, by which the end is told.
_BEFORE, _AFTER = timedelta(minutes=5), timedelta(seconds=30)
_OOM_KILLED = "OOMKilled"
# The kubelet evicts pods because of what they or their neighbours use. That is not a preemption: the next attempt may
# well do the same, so it must count.
_EVICTED = "Evicted"
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
# What no wait can heal.
_IMPOSSIBLE_IMAGE_REASONS = frozenset({"ErrImageNeverPull", "InvalidImageName"})
# What registries and container runtimes say about an image that does not exist or is not for us; but a Secret or an
# image that comes a minute late is spoken of in the same words. A registry that cannot be reached says none of it.
_REFUSED_IMAGE_WORDS = ("not found", "unauthorized", "denied", "manifest unknown")

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


def out_of_memory(spec: RunSpec, moment: datetime) -> Finder:
    """Ray's container of the pod was killed at its memory limit, with the limit and where it is set."""

    def find(pod: Pod) -> Failure | None:
        ended = next((end for end in _ends(pod, moment) if end.reason == _OOM_KILLED), None)
        if ended is None:
            return None
        limit = _memory_limit(spec, pod.group)
        words = f"container {ended.container} of pod {pod.name}{_on(pod)} was killed for using more memory than {limit}"
        return Failure(FailureClass.OUT_OF_MEMORY, joined(words)).at(pod)

    return find


def broken(moment: datetime) -> Finder:
    """The pod or Ray's container in it ended in a way that has no class of its own."""

    def find(pod: Pod) -> Failure | None:
        ended = next(_ends(pod, moment), None)
        if ended is not None:
            words = f"container {ended.container} of pod {pod.name}{_on(pod)} ended with exit code {ended.exit_code}"
            return Failure(FailureClass.INFRASTRUCTURE, joined(words, ended.reason)).at(pod)
        if pod.phase == "Failed":
            words = joined(f"pod {pod.name}{_on(pod)} failed", pod.status_reason, pod.status_message)
            return Failure(FailureClass.INFRASTRUCTURE, words).at(pod)
        return None

    return find


def image_wait(pod: Pod) -> Waiting | None:
    """The first container of the pod that waits for its image, whosever it is."""
    return next((waiting for waiting in pod.waiting if waiting.reason in _IMAGE_REASONS), None)


def image_not_pulled(pod: Pod) -> Failure | None:
    """The pod waits for the run's image: the failure that this is once waiting for it is over."""
    return _our_image(pod, _IMAGE_REASONS)


def image_impossible(pod: Pod) -> Failure | None:
    """The pod waits for an image that will still be missing however long anybody waits."""
    return _our_image(pod, _IMPOSSIBLE_IMAGE_REASONS)


def image_refused(suspected: Failure | None) -> Finder:
    """The pod waits for an image that is said not to exist, or not to be for us.

    Older kubelets say so only in every other message, so that what was `suspected` before goes on until the wait ends.
    """

    def find(pod: Pod) -> Failure | None:
        failure = image_not_pulled(pod)
        if failure is None or any(words in failure.message.lower() for words in _REFUSED_IMAGE_WORDS):
            return failure
        if suspected is None or (suspected.failure_class, suspected.pod) != (FailureClass.IMAGE_PULL, pod.name):
            return None
        return suspected

    return find


def code_unusable(pod: Pod) -> Failure | None:
    """The run's code is missing, not the one that its digest names, or none, as the program says that unpacks it."""
    for end in pod.terminations:
        if end.container == CODE_CONTAINER and end.exit_code == Exit.INVALID_CONFIG:
            said = end.message.strip().rpartition("\n")[2]
            return Failure(FailureClass.INVALID_CONFIG, joined(said)).at(pod)
    return None


def first(find: Finder, pods: Iterable[Pod]) -> Failure | None:
    """The first that a kind of evidence finds in pods."""
    return next((failure for failure in map(find, pods) if failure is not None), None)


def head_failure(spec: RunSpec, head: Pod, moment: datetime) -> Failure | None:
    """What the head's pod reveals about its own end at `moment`, if anything."""
    for find in (preempted, out_of_memory(spec, moment), evicted):
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


def of_groups(pods: Iterable[Pod], *groups: str) -> list[Pod]:
    """The pods of these groups."""
    return [pod for pod in pods if pod.group in groups]


def _our_image(pod: Pod, reasons: frozenset[str]) -> Failure | None:
    for waiting in pod.waiting:
        if waiting.container in _IMAGE_CONTAINERS and waiting.reason in reasons:
            return Failure(FailureClass.IMAGE_PULL, joined(waiting.reason, waiting.message)).at(pod)
    return None


def _ends(pod: Pod, moment: datetime) -> Iterator[Termination]:
    for end in pod.terminations:
        if end.container in _RAY_CONTAINERS and end.finished is not None:
            if moment - _BEFORE <= end.finished <= moment + _AFTER:
                yield end


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
