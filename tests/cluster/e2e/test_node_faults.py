"""The trainers' node is drained, does not answer, loses its power: the run goes on from its last checkpoint there.

One run suffers it all, in the order of the tests. No other node may have its trainers, so that it waits for this one.
"""

from __future__ import annotations

import time

import long_run
import pytest
from cluster_client import wait_until
from faults import Faults
from namespaces import Namespace
from nodes import TRAINER_NODE
from run_on_cluster import TrainingRun
from timings import Timings

from trainingrun.contract.records import CheckpointSaved, Progress

# Longer than Kubernetes waits before it calls a node unreachable, shorter than it waits to evict its pods.
_FROZEN_SECONDS = 70.0
_EPOCHS = 14

pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("something_to_lose")]


@pytest.fixture(scope="module")
def run(shared_namespace: Namespace) -> TrainingRun:
    return long_run.start(shared_namespace, _EPOCHS)


def test_a_drained_node_is_left_with_a_checkpoint_and_without_a_step_lost(
    run: TrainingRun, faults: Faults, timings: Timings
) -> None:
    began = time.time()
    with faults.drained(TRAINER_NODE):
        timings.mark("drained")
        wait_until(lambda: _waits_for_a_node(run), 180, "the next attempt to wait for a node", run.shown)
    timings.mark("uncordoned")
    resumption = long_run.wait_for_resumption(run, timings, began)
    first = run.records(0)
    saved = max(record.step for record in first if isinstance(record, CheckpointSaved))
    trained = max(record.step for record in first if isinstance(record, Progress))
    assert resumption.resumed_at == saved >= trained
    assert resumption.is_seamless, resumption
    assert [(a["outcome"], a.get("failureClass")) for a in run.attempts] == [("Failed", "Preempted"), ("Running", None)]
    assert run.status["failures"] == 0
    assert not long_run.attempts_overlap(run)


def test_a_node_that_does_not_answer_for_a_while_is_waited_for(
    run: TrainingRun, faults: Faults, timings: Timings
) -> None:
    attempts = _attempts(run)
    with faults.frozen(TRAINER_NODE):
        began = time.time()
        time.sleep(_FROZEN_SECONDS)
    timings.mark("ready again")
    _goes_on(run, timings, began, attempts)


def test_a_node_that_loses_its_power_is_waited_for(run: TrainingRun, faults: Faults, timings: Timings) -> None:
    attempts = _attempts(run)
    began = time.time()
    with faults.off(TRAINER_NODE):
        timings.mark("noticed")
    timings.mark("ready again")
    resumption = long_run.wait_for_resumption(run, timings, began)
    assert resumption.is_seamless, resumption
    _goes_on(run, timings, began, attempts)


def _goes_on(run: TrainingRun, timings: Timings, began: float, attempts: list[str]) -> None:
    long_run.wait_for_more_steps(run, timings, began)
    assert all(resumption.is_seamless for resumption in long_run.resumptions_since(run, began))
    assert _attempts(run) == attempts
    assert run.status["failures"] == 0
    assert not long_run.attempts_overlap(run)


def _attempts(run: TrainingRun) -> list[str]:
    return [attempt["outcome"] for attempt in run.attempts]


def _waits_for_a_node(run: TrainingRun) -> bool:
    return len(run.attempts) == 2 and run.condition("PodsReady").get("reason") == "Unschedulable"
