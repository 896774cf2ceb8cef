"""Exit codes of the training process."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a training process ends."""

    COMPLETE = 0
    ABORTED = 10  # the user asked (SIGINT); a checkpoint was saved
    PREEMPTED = 11  # the machine asked (SIGTERM); a checkpoint was saved
    INVALID_CONFIGURATION = 12  # nothing was trained; trying again will not help
    TRAINING_FAILED = 13  # the training code or its data failed
    INFRASTRUCTURE = 14  # Ray or its nodes failed; trying again may help


OUTCOMES = {
    Exit.COMPLETE: "Complete",
    Exit.ABORTED: "Aborted",
    Exit.PREEMPTED: "Preempted",
    Exit.INVALID_CONFIGURATION: "InvalidConfig",
    Exit.TRAINING_FAILED: "Failed",
    Exit.INFRASTRUCTURE: "Lost",
}
