"""What a run's policy says about a failure: try again or not, counted or not, and after how long."""

from __future__ import annotations

from datetime import timedelta

from trainingrun.failures.failure import DEADLINE_EXCEEDED, Failure
from trainingrun.spec.policy import Action, FailureRule
from trainingrun.spec.run import RunSpec

UNCOUNTED_BACKOFF = timedelta(seconds=10)
LONGEST_BACKOFF = timedelta(seconds=360)
_DEFAULTS: dict[str, Action] = {
    "Preempted": "Ignore",
    "Infrastructure": "Count",
    "HeadLost": "Count",
    "Hang": "Count",
    "AcceleratorFault": "Count",
}


def action_for(spec: RunSpec, failure: Failure) -> Action:
    """What to do about `failure`: by the run's first rule that matches, else by the class alone."""
    if failure.failure_class == DEADLINE_EXCEEDED:
        return "Fail"
    for rule in spec.failure_policy.rules:
        if _matches(rule, failure):
            return rule.action
    return _DEFAULTS.get(failure.failure_class, "Fail")


def backoff(counted_failures: int) -> timedelta:
    """How long to wait after the nth counted failure: 10 s, doubled each time, at most 6 minutes."""
    doublings = min(max(counted_failures - 1, 0), 10)
    return min(UNCOUNTED_BACKOFF * (1 << doublings), LONGEST_BACKOFF)


def _matches(rule: FailureRule, failure: Failure) -> bool:
    if rule.on_classes is not None:
        return failure.failure_class in rule.on_classes
    codes = rule.on_exit_codes
    if codes is None or failure.exit_code is None:
        return False
    return (failure.exit_code in codes.values) == (codes.operator == "In")
