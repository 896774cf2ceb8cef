"""Whatever dies while a run trains, the run goes on from its last checkpoint, and never twice at the same time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from audit import overlaps
from cluster_client import Cluster, wait_until
from namespaces import Namespace
from run_on_cluster import TrainingRun
from timings import Timings

from trainingrun.progress import CheckpointSaved, EpochEnded, Progress, Record

_KILLED_AT = 30
_LOG = Path(__file__).parents[3] / ".trainingrun" / "cluster" / "audit" / "audit.log"


@pytest.mark.parametrize("group", ["trainer", "data"])
def test_a_killed_worker_pod_costs_at_most_the_steps_since_the_checkpoint(
    cluster: Cluster, namespace: Namespace, timings: Timings, group: str
) -> None:
    run = _training(namespace, timings)
    before = run.records()
    _kill(cluster, run, group)
    _goes_on(run, timings, before)
    assert [attempt["outcome"] for attempt in run.attempts] == ["Complete"]


def test_a_killed_head_pod_is_counted_and_training_goes_on(
    cluster: Cluster, namespace: Namespace, timings: Timings
) -> None:
    run = _training(namespace, timings)
    before = run.records()
    _kill(cluster, run, "head")
    _goes_on(run, timings, before)
    assert sum(attempt["headRestarts"] for attempt in run.attempts) == 1


def test_a_killed_operator_is_not_missed(cluster: Cluster, namespace: Namespace, timings: Timings) -> None:
    run = _training(namespace, timings)
    pods = {pod["metadata"]["uid"] for pod in run.pods()}
    cluster.run("delete", "pod", "--all", "--namespace=trainingrun-system", "--grace-period=0", "--force")
    assert {pod["metadata"]["uid"] for pod in run.pods()} == pods
    run.wait_for("Complete", 600)
    timings.mark("Complete")
    assert [attempt["outcome"] for attempt in run.attempts] == ["Complete"]
    assert not overlaps(_LOG, run.namespace, run.name)


def _training(namespace: Namespace, timings: Timings) -> TrainingRun:
    """A run that has done some steps and saved a checkpoint."""
    run = namespace.apply(namespace.document(storage={"checkpoints": {"everySteps": 10}}))
    run.wait_for_step(1, 600)
    timings.mark("first step")
    run.wait_for_step(_KILLED_AT, 600)
    return run


def _kill(cluster: Cluster, run: TrainingRun, group: str) -> None:
    name = run.pods(group)[0]["metadata"]["name"]
    cluster.run("delete", "pod", name, f"--namespace={run.namespace}", "--grace-period=0", "--force")


def _goes_on(run: TrainingRun, timings: Timings, before: list[Record]) -> None:
    """Training goes on from the last checkpoint, and ends as it would have ended."""
    killed = time.time()
    saved = max(record.step for record in before if isinstance(record, CheckpointSaved))

    def steps_since() -> list[Progress]:
        return [r for r in run.records() if isinstance(r, Progress) and r.time > killed + 2]

    wait_until(lambda: any(r.step > _reached(before) for r in steps_since()), 600, "more steps", run.shown)
    timings.note("kill to next step", min(r.time for r in steps_since()) - killed)
    assert min(record.step for record in steps_since()) > saved
    run.wait_for("Complete", 600)
    timings.mark("Complete")
    epochs = [record for record in run.records() if isinstance(record, EpochEnded)]
    assert {record.epoch for record in epochs} == set(range(6))
    assert epochs[-1].metrics["validation_accuracy"] > 0.9
    assert not overlaps(_LOG, run.namespace, run.name)


def _reached(records: list[Record]) -> int:
    return max(record.step for record in records if isinstance(record, Progress))
