"""What follows from a failure: the run's rules first, then the defaults; and how long to wait."""

from __future__ import annotations

from typing import Any

import pytest
from seen_objects import a_run

from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import Failure, action_for, backoff

DEFAULTS = {
    "Preempted": "Ignore",
    "Infrastructure": "Count",
    "HeadLost": "Count",
    "Hang": "Count",
    "AcceleratorFault": "Count",
    "UserError": "Fail",
    "OutOfMemory": "Fail",
    "InvalidConfig": "Fail",
    "ImagePull": "Fail",
    "DeadlineExceeded": "Fail",
}
CODES_3_AND_4 = {"operator": "In", "values": [3, 4]}
ALL_BUT_3 = {"operator": "NotIn", "values": [3]}


def action(rules: list[dict[str, Any]], failure_class: str, exit_code: int | None = None) -> str:
    run = a_run(failurePolicy={"rules": rules}).run
    assert run is not None
    return action_for(run.spec, Failure(FailureClass(failure_class), "", exit_code))


@pytest.mark.parametrize(("failure_class", "expected"), DEFAULTS.items())
def test_each_class_has_a_default(failure_class: str, expected: str) -> None:
    assert action([], failure_class) == expected


@pytest.mark.parametrize(
    ("rules", "failure_class", "exit_code", "expected"),
    [
        ([{"action": "Count", "onClasses": ["UserError"]}], "UserError", 13, "Count"),
        ([{"action": "Fail", "onClasses": ["Preempted", "Hang"]}], "Hang", None, "Fail"),
        ([{"action": "Ignore", "onClasses": ["Hang"]}], "Infrastructure", None, "Count"),
        ([{"action": "Ignore", "onExitCodes": CODES_3_AND_4}], "UserError", 4, "Ignore"),
        ([{"action": "Ignore", "onExitCodes": CODES_3_AND_4}], "UserError", 5, "Fail"),
        ([{"action": "Count", "onExitCodes": ALL_BUT_3}], "UserError", 5, "Count"),
        ([{"action": "Count", "onExitCodes": ALL_BUT_3}], "UserError", 3, "Fail"),
    ],
)
def test_a_rule_comes_before_the_default(
    rules: list[dict[str, Any]], failure_class: str, exit_code: int | None, expected: str
) -> None:
    assert action(rules, failure_class, exit_code) == expected


@pytest.mark.parametrize("codes", [CODES_3_AND_4, ALL_BUT_3], ids=["In", "NotIn"])
def test_no_rule_for_exit_codes_matches_a_failure_without_one(codes: dict[str, Any]) -> None:
    assert action([{"action": "Fail", "onExitCodes": codes}], "Infrastructure") == "Count"


def test_the_first_rule_that_matches_decides() -> None:
    rules = [
        {"action": "Ignore", "onExitCodes": CODES_3_AND_4},
        {"action": "Count", "onClasses": ["UserError"]},
        {"action": "Fail", "onClasses": ["UserError"]},
    ]
    assert [action(rules, "UserError", 3), action(rules, "UserError", 5)] == ["Ignore", "Count"]


def test_no_rule_prolongs_a_run_that_is_over_its_deadline() -> None:
    assert action([{"action": "Ignore", "onExitCodes": ALL_BUT_3}], "DeadlineExceeded", 1) == "Fail"


def test_the_pause_doubles_with_each_counted_failure_up_to_six_minutes() -> None:
    seconds = [backoff(failures).total_seconds() for failures in (1, 2, 3, 4, 5, 6, 7, 8, 100)]
    assert seconds == [10, 20, 40, 80, 160, 320, 360, 360, 360]
