"""What conditions say of an invalid spec, of a run that is over, and at the limits of what they hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from condition_words import condition, said
from seen_objects import (
    NOTHING,
    NOW,
    a_run,
    after_look,
    at,
    cluster,
    entry,
    job,
    pod,
    pods,
    seen,
    status,
    status_of,
    text_of,
    verdict,
    waits,
)

from trainingrun.errors import Problem
from trainingrun.observed import Observed
from trainingrun.status.conditions import ConditionType


def test_an_invalid_spec_is_told_with_every_field_that_is_wrong() -> None:
    problems = tuple(Problem(f"spec.field{index}", "x" * 50, "something else") for index in range(600))
    invalid = replace(a_run(), run=None, problems=problems)
    holds, reason, words = said(invalid, NOTHING, "Accepted")
    assert (holds, reason) == ("False", "InvalidSpec")
    assert len(words) <= 32_768 and all(problem.path in words for problem in problems)
    assert said(invalid, NOTHING, "Stalled") == ("True", "InvalidSpec", words)


def test_an_invalid_spec_loses_nothing_that_was_remembered() -> None:
    before = after_look(a_run(status=status(entry())), seen("Running"))
    invalid = replace(before, run=None, problems=(Problem("spec.image", "nothing", "an image"),))
    written = status_of(invalid, seen("Running"), at(5))
    assert written["attempts"] == before.status["attempts"]
    assert written["startTime"] == before.status["startTime"]


@pytest.mark.parametrize("observed", [NOTHING, seen("Running"), seen("Complete"), seen("Running", 1)])
def test_a_verdict_never_changes(observed: Observed) -> None:
    over = after_look(a_run(status=verdict("Failed", "UserError", entry(0, "Failed", endTime=text_of(NOW)))), NOTHING)
    later = after_look(replace(over, generation=2), observed, at(900))
    for kind in ConditionType:
        was, now = condition(over.status, kind), condition(later.status, kind)
        assert {**now, "observedGeneration": 1} == was
    assert later.status["attempts"] == over.status["attempts"]


def test_the_longest_words_fit_into_a_condition() -> None:
    waiting = pod(ready=False, waiting=waits("CreateContainerError", "x" * 50_000))
    assert len(said(a_run(), Observed((job("Starting"),), (cluster(),), (waiting,)), "PodsReady")[2]) == 32_768


def test_pods_of_an_elastic_group_above_its_size_are_not_waited_for() -> None:
    observed = Observed((job(),), (cluster(desired_workers=5),), pods())
    assert said(a_run(data={"numNodes": 1, "maxNodes": 8}), observed, "PodsReady")[0] == "True"
