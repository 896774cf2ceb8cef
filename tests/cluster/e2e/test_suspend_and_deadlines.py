"""A run gives its machines back when it is told to, goes on when it may, and ends when its time or its tries are over.

Runs that have nothing to do with each other take their time together, two at once.
"""

from __future__ import annotations

from typing import Any

import long_run
import pytest
from cluster_client import Cluster, wait_until
from namespaces import Namespace
from run_on_cluster import TrainingRun
from timings import Timings

from trainingrun.contract.records import AttemptStarted, CheckpointSaved

pytestmark = pytest.mark.extended

_PATIENCE = 900.0
# Stops for ever the first time that it comes to this step, and never again.
_HANGING = """
import pathlib
import threading

import torch


def step(model, batch, state, *, at):
    if state.position.step == at and not _has_hung():
        threading.Event().wait()
    return torch.nn.functional.cross_entropy(model(batch["image"]), batch["label"])


def _has_hung():
    marker = pathlib.Path(__file__).with_name("has-hung")
    was_there = marker.exists()
    marker.touch()
    return was_there
"""


@pytest.fixture(scope="module")
def late(shared_namespace: Namespace) -> TrainingRun:
    """A run that may be active for less time than it takes to start."""
    return _apply(shared_namespace, "late", activeDeadlineSeconds=60)


@pytest.fixture(scope="module")
def suspended(late: TrainingRun, shared_namespace: Namespace) -> TrainingRun:
    """A run that will be suspended; it starts beside the late one."""
    return _apply(shared_namespace, "suspended", recipe={"epochs": 8, "scheduler": None})


@pytest.fixture(scope="module")
def hanging(shared_namespace: Namespace) -> TrainingRun:
    """A run whose first attempt hangs after its first checkpoint."""
    return _apply(
        shared_namespace,
        "hanging",
        env=[shared_namespace.add_module("hanging", _HANGING)],
        recipe={"epochs": 2, "trainStep": {"function": "hanging:step", "parameters": {"at": 15}}},
        storage={"checkpoints": {"everySteps": 10}},
        progressDeadlineSeconds=45,
        # Who hangs does not save anything, however long the pods wait for it.
        terminationGracePeriodSeconds=30,
    )


@pytest.fixture(scope="module")
def failing(hanging: TrainingRun, shared_namespace: Namespace) -> TrainingRun:
    """A run that is to be tried again though that does not help; it starts beside the hanging one."""
    missing = {"train": {"path": "/mnt/cluster_storage/datasets/letters"}}
    again = {"rules": [{"action": "Count", "onClasses": ["InvalidConfig"]}]}
    return _apply(shared_namespace, "failing", recipe={"dataset": missing}, backoffLimit=1, failurePolicy=again)


def test_a_suspended_run_saves_a_checkpoint_and_gives_its_pods_back(
    cluster: Cluster, suspended: TrainingRun, timings: Timings
) -> None:
    suspended.wait_for_step(15, _PATIENCE)
    timings.mark("step 15")
    _suspend(cluster, suspended, True)
    suspended.wait_for("Suspended", _PATIENCE)
    timings.mark("Suspended")
    assert not suspended.pods()
    assert _saved(suspended, 0) >= 15


def test_a_run_that_is_no_longer_suspended_goes_on_where_it_was(
    cluster: Cluster, suspended: TrainingRun, timings: Timings
) -> None:
    _suspend(cluster, suspended, False)
    suspended.wait_for("Complete", _PATIENCE)
    timings.mark("Complete")
    assert _begun_at(suspended, 1) == _saved(suspended, 0)
    assert all(resumption.is_seamless for resumption in long_run.resumptions_since(suspended, 0))
    assert [attempt["outcome"] for attempt in suspended.attempts] == ["Suspended", "Complete"]
    assert not any(attempt["counted"] for attempt in suspended.attempts)
    assert not long_run.attempts_overlap(suspended)


def test_a_run_ends_at_its_active_deadline(late: TrainingRun, timings: Timings) -> None:
    failed = late.wait_for("Failed", _PATIENCE)
    timings.mark("Failed")
    assert failed["reason"] == "DeadlineExceeded"
    assert "activeDeadlineSeconds" in failed["message"]
    assert len(late.attempts) == 1
    _gives_its_pods_back(late, timings)


def test_a_run_whose_tries_are_used_up_has_failed(failing: TrainingRun, timings: Timings) -> None:
    failed = failing.wait_for("Failed", _PATIENCE)
    timings.mark("Failed")
    assert failed["reason"] == "InvalidConfig"
    assert "backoffLimit allows 1" in failed["message"]
    assert [attempt["failureClass"] for attempt in failing.attempts] == ["InvalidConfig"] * 2
    assert all(attempt["counted"] for attempt in failing.attempts)
    assert failing.status["failures"] == 2
    _gives_its_pods_back(failing, timings)
    assert not long_run.attempts_overlap(failing)


def test_an_attempt_that_hangs_is_replaced_by_one_that_goes_on(hanging: TrainingRun, timings: Timings) -> None:
    wait_until(lambda: len(hanging.attempts) == 2, _PATIENCE, "another attempt", hanging.shown)
    timings.mark("attempt replaced")
    hanging.wait_for("Complete", _PATIENCE)
    timings.mark("Complete")
    first, second = hanging.attempts
    assert (first["outcome"], first["failureClass"], first["counted"]) == ("Failed", "Hang", True)
    assert "progressDeadlineSeconds" in first["message"]
    assert second["outcome"] == "Complete"
    assert _begun_at(hanging, 1) == _saved(hanging, 0) == 10
    assert not long_run.attempts_overlap(hanging)


def _apply(namespace: Namespace, name: str, **spec: Any) -> TrainingRun:
    """The digits with one trainer, which starts sooner than two."""
    ttl = {"onFailure": 0}
    document = namespace.document(trainer={"numNodes": 1}, clusterTTLSecondsAfterFinished=ttl, **spec)
    document["metadata"]["name"] = name
    return namespace.apply(document)


def _suspend(cluster: Cluster, run: TrainingRun, value: bool) -> None:
    patch = f'--patch={{"spec": {{"suspend": {str(value).lower()}}}}}'
    cluster.run("patch", "trainingrun", run.name, f"--namespace={run.namespace}", "--type=merge", patch)


def _saved(run: TrainingRun, attempt: int) -> int:
    """The steps of the newest checkpoint of an attempt."""
    return max(record.step for record in run.records(attempt) if isinstance(record, CheckpointSaved))


def _begun_at(run: TrainingRun, attempt: int) -> int:
    """The step that an attempt began with."""
    return next(record.first_step for record in run.records(attempt) if isinstance(record, AttemptStarted))


def _gives_its_pods_back(run: TrainingRun, timings: Timings) -> None:
    wait_until(lambda: not run.pods(), 300, "no pod is left", run.shown)
    timings.mark("pods gone")
