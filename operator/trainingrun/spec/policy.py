"""What happens when something fails or ends: classes of failure, rules, and how long clusters stay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, Strict

from trainingrun.contract.failure_class import Action, FailureClass
from trainingrun.errors import Problem
from trainingrun.spec.model import Model

MAX_SECONDS = 31_536_000

# All but DeadlineExceeded: no rule can make a run exceed its deadline.
RuleClass = Literal[
    FailureClass.PREEMPTED,
    FailureClass.HEAD_LOST,
    FailureClass.INFRASTRUCTURE,
    FailureClass.ACCELERATOR_FAULT,
    FailureClass.HANG,
    FailureClass.OUT_OF_MEMORY,
    FailureClass.IMAGE_PULL,
    FailureClass.INVALID_CONFIG,
    FailureClass.USER_ERROR,
]


class ExitCodes(Model):
    """Exit codes of the training entrypoint."""

    operator: Literal["In", "NotIn"] = Field(description="Whether the code must be one of the values, or none of them.")
    values: Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], Strict(False)] = Field(
        min_length=1, max_length=256, description="Exit codes, 1 to 256 of them, each 0 to 255."
    )


class FailureRule(Model):
    """What to do about a failed attempt that matches; exactly one of onClasses and onExitCodes."""

    action: Action = Field(
        description="Ignore retries uncounted; Count retries within backoffLimit; Fail ends the run."
    )
    on_classes: Annotated[tuple[RuleClass, ...], Strict(False)] | None = Field(
        default=None, min_length=1, max_length=9, description="Classes of failure that match, 1 to 9 of them."
    )
    on_exit_codes: ExitCodes | None = Field(default=None, description="Exit codes that match.")

    def broken_rules(self) -> Iterable[Problem]:
        """Exactly one kind of match."""
        if (self.on_classes is None) == (self.on_exit_codes is None):
            found = "neither" if self.on_classes is None else "both"
            yield Problem("", f"{found} of onClasses and onExitCodes", "exactly one of them")


class FailurePolicy(Model):
    """Rules in order: the first that matches decides; after them, the built-in rules apply."""

    rules: Annotated[tuple[FailureRule, ...], Strict(False)] = Field(
        default=(), max_length=20, description="At most 20 rules, tried in order."
    )


class ClusterTTL(Model):
    """How long the Ray cluster of a finished attempt is kept, so that its logs and dashboard can be inspected."""

    on_success: int = Field(default=0, ge=0, le=MAX_SECONDS, description="Seconds after success, 0 to 31,536,000.")
    on_failure: int = Field(default=600, ge=0, le=MAX_SECONDS, description="Seconds after failure, 0 to 31,536,000.")
