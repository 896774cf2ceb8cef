"""Exit codes of the training process: the contract with the operator and with shells.

Numbers must never change meaning: the operator decides by them whether to retry.
"""

from __future__ import annotations

from enum import IntEnum

from trainingrun.contract.failure_class import FailureClass


class Exit(IntEnum):
    """How a training process ends. `outcome` is the word for it in records: a class of failure, or one of two more."""

    outcome: str

    def __new__(cls, code: int, outcome: str = "") -> Exit:
        """A member that equals its code. Every member has an outcome: type checkers take `Exit(14)` for this call."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.outcome = str(outcome)
        return member

    COMPLETE = 0, "Complete"
    ABORTED = 10, "Aborted"  # the user asked (SIGINT); a checkpoint was saved
    PREEMPTED = 11, FailureClass.PREEMPTED  # the machine asked (SIGTERM); a checkpoint was saved
    INVALID_CONFIG = 12, FailureClass.INVALID_CONFIG  # nothing was trained; a retry alone will not help
    USER_ERROR = 13, FailureClass.USER_ERROR  # the training code or its data failed
    INFRASTRUCTURE = 14, FailureClass.INFRASTRUCTURE  # Ray or its nodes failed; a retry may help


_BY_CLASS = {
    FailureClass.IMAGE_PULL: Exit.INVALID_CONFIG,
    FailureClass.OUT_OF_MEMORY: Exit.USER_ERROR,
    FailureClass.HANG: Exit.USER_ERROR,
    FailureClass.DEADLINE_EXCEEDED: Exit.USER_ERROR,
    FailureClass.HEAD_LOST: Exit.INFRASTRUCTURE,
    FailureClass.ACCELERATOR_FAULT: Exit.INFRASTRUCTURE,
    **{failure: code for code in Exit if (failure := FailureClass.of(code.outcome))},
}


def exit_of(failure: FailureClass) -> Exit:
    """The code for a run that has failed by this class: by who has to act, where the class has none of its own."""
    return _BY_CLASS[failure]
