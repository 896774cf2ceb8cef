"""Which troubles with images there are, and which of them waiting cannot mend."""

from __future__ import annotations

from collections.abc import Iterable

from trainingrun.failures.failure import Failure
from trainingrun.failures.words import joined
from trainingrun.observed import Pod

# The kubelet's reasons, from pkg/kubelet/images/types.go.
_REASONS = frozenset(
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
_FINAL_REASONS = frozenset({"ErrImageNeverPull", "InvalidImageName"})
# What registries and container runtimes say of an image that is not there or not for us. A registry that cannot be
# reached says none of it.
_FINAL_WORDS = ("not found", "unauthorized", "denied", "manifest unknown")


def is_image_trouble(pod: Pod) -> bool:
    """Whether a container of the pod waits for its image."""
    return pod.waiting is not None and pod.waiting[0] in _REASONS


def image_failure(pods: Iterable[Pod]) -> Failure | None:
    """The first trouble with an image, as the failure that it is once waiting for it is over."""
    return next((_failure(pod) for pod in pods if is_image_trouble(pod)), None)


def image_that_cannot_heal(pods: Iterable[Pod]) -> Failure | None:
    """The first trouble with an image that will still be there however long anybody waits."""
    return next((_failure(pod) for pod in pods if is_image_trouble(pod) and _is_final(pod)), None)


def _is_final(pod: Pod) -> bool:
    reason, message = pod.waiting or ("", "")
    return reason in _FINAL_REASONS or any(words in message.lower() for words in _FINAL_WORDS)


def _failure(pod: Pod) -> Failure:
    return Failure("ImagePull", joined(*(pod.waiting or ()))).at(pod)
