"""The classes of failure: one word for how an attempt can end without success, wherever that end is told.

The training process ends with an exit code that has a class (`exits`), the operator finds classes by evidence
(`trainingrun.failures`), rules of a run name them, and people read them. The words are part of the API.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Action = Literal["Ignore", "Count", "Fail"]


class FailureClass(StrEnum):
    """A class of failure: what it means, what follows where no rule of the run says otherwise, and what to do."""

    description: str
    default_action: Action
    remedy: str

    def __new__(cls, word: str, default_action: Action, description: str, remedy: str) -> FailureClass:
        """A member that equals its word."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.default_action = default_action
        member.description = member.__doc__ = description
        member.remedy = remedy
        return member

    @classmethod
    def of(cls, word: str | None) -> FailureClass | None:
        """The class of this word; None for anything else, as another version may have written it."""
        return cls._value2member_map_.get(word)  # type: ignore[return-value]

    PREEMPTED = (
        "Preempted",
        "Ignore",
        "The nodes were preempted, by a queue or by the cluster.",
        "Run it at a higher priority, or on nodes that are not preempted",
    )
    HEAD_LOST = (
        "HeadLost",
        "Count",
        "The head of the Ray cluster was lost more often than the run allows.",
        "Give the head more memory in spec.head.resources if it was killed for it, and look at its node",
    )
    INFRASTRUCTURE = (
        "Infrastructure",
        "Count",
        "Nodes, pods or Ray itself failed.",
        "Look at the node and the events of the pods; raise spec.backoffLimit if such losses are usual",
    )
    ACCELERATOR_FAULT = (
        "AcceleratorFault",
        "Count",
        "An accelerator reported a hardware fault.",
        "Have the node in the table checked and cordoned: its accelerator reported a fault",
    )
    HANG = (
        "Hang",
        "Count",
        "The training program reported no progress for progressDeadlineSeconds.",
        "Look in the logs for a rank that waits forever, or raise spec.progressDeadlineSeconds for slow steps",
    )
    OUT_OF_MEMORY = (
        "OutOfMemory",
        "Fail",
        "A container or a Ray process used more memory than its limit.",
        "Raise memory in the group's resourcesPerNode, or lower spec.recipe.globalBatchSize",
    )
    IMAGE_PULL = (
        "ImagePull",
        "Fail",
        "An image cannot be pulled; the message is the kubelet's.",
        "Correct spec.image, or give its registry's Secret in spec.imagePullSecrets",
    )
    INVALID_CONFIG = (
        "InvalidConfig",
        "Fail",
        "What the run names does not exist or does not fit together.",
        "Correct the field or file that the message names; a retry alone cannot help",
    )
    USER_ERROR = (
        "UserError",
        "Fail",
        "The training program failed, or a user stopped it.",
        "Correct what the message names, in the code, the image or the recipe",
    )
    DEADLINE_EXCEEDED = (
        "DeadlineExceeded",
        "Fail",
        "The run was active for activeDeadlineSeconds.",
        "Raise spec.activeDeadlineSeconds",
    )
