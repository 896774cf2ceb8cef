"""What a run's policy says about a failure: retry or not, counted or not, and after which pause."""

from __future__ import annotations

from datetime import timedelta

from trainingrun.contract.failure_class import Action, FailureClass
from trainingrun.failures.failure import Failure
from trainingrun.spec.policy import FailureRule
from trainingrun.spec.run import RunSpec

SHORTEST_BACKOFF = timedelta(seconds=10)
LONGEST_BACKOFF = timedelta(seconds=360)


def action_for(spec: RunSpec, failure: Failure) -> Action:
    """What to do about `failure`: by the run's first rule that matches, else by the class alone."""
    if failure.failure_class is FailureClass.DEADLINE_EXCEEDED:
        return "Fail"  # whatever the exit code: no rule can make a run exceed its deadline
    for rule in spec.failure_policy.rules:
        if _matches(rule, failure):
            return rule.action
    return failure.failure_class.default_action


def backoff(failures: int) -> timedelta:
    """How long to wait after the nth failure: 10 s, doubled each time, at most 6 minutes."""
    doublings = min(max(failures - 1, 0), 10)
    return min(SHORTEST_BACKOFF * (1 << doublings), LONGEST_BACKOFF)


def _matches(rule: FailureRule, failure: Failure) -> bool:
    if rule.on_classes is not None:
        return failure.failure_class in rule.on_classes
    codes = rule.on_exit_codes
    if codes is None or failure.exit_code is None:
        return False
    return (failure.exit_code in codes.values) == (codes.operator == "In")
