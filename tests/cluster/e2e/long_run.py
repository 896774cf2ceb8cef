"""A run that lasts long enough for several things to happen to it, one after the other, and how it is watched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from audit import overlaps
from cluster_client import wait_until
from cluster_folder import AUDIT_LOG
from interruptions import Resumption, longest_wait, resumptions
from namespaces import Namespace
from run_on_cluster import TrainingRun
from timings import Timings

from trainingrun.contract.records import AttemptStarted, CheckpointSaved, Progress, WorkersRestarted

ROWS_PER_EPOCH = 1437
# Enough for a checkpoint, and for the next rows of a data pod.
_MORE_STEPS = 60
# Far longer than anything here takes: what is measured is noted, not asserted.
_PATIENCE = 600.0


def start(namespace: Namespace, epochs: int, **spec: Any) -> TrainingRun:
    """Apply the digits with so many epochs and a checkpoint every ten steps, and wait until it trains."""
    (run,) = start_all(namespace, ["digits"], epochs, **spec)
    return run


def start_all(namespace: Namespace, names: Sequence[str], epochs: int, **spec: Any) -> list[TrainingRun]:
    """As `start`, several by these names."""
    # Its learning rate would go up and down for ever.
    recipe = {"epochs": epochs, "scheduler": None}
    document = namespace.document(recipe=recipe, storage={"checkpoints": {"everySteps": 10}}, **spec)
    runs = [namespace.apply({**document, "metadata": {**document["metadata"], "name": name}}) for name in names]
    for run in runs:
        run.wait_for_step(1, _PATIENCE)
    return runs


def wait_for_something_to_lose(run: TrainingRun) -> None:
    """Wait until training has done steps beyond a checkpoint that it has saved since it last began."""

    def is_so() -> bool:
        saved: int | None = None
        is_beyond = False
        for record in run.records():
            if isinstance(record, (AttemptStarted, WorkersRestarted)):
                saved, is_beyond = None, False
            elif isinstance(record, CheckpointSaved):
                saved = record.step
            elif isinstance(record, Progress):
                is_beyond |= saved is not None and record.step > saved
        return is_beyond

    wait_until(is_so, _PATIENCE, f"steps of {run.name} beyond a checkpoint", run.shown)


def wait_for_resumption(run: TrainingRun, timings: Timings, since: float) -> Resumption:
    """Wait until training has begun again after a fault at `since`, and is beyond where it was."""

    def found() -> Resumption | None:
        steps = _progress(run)
        reached = max(record.step for record in steps if record.time <= since)
        return next(iter(resumptions_since(run, since)), None) if steps[-1].step > reached else None

    resumption = wait_until(found, _PATIENCE, f"{run.name} to go on", run.shown)
    timings.note("fault to next step", resumption.time - since)
    return resumption


def wait_for_more_steps(run: TrainingRun, timings: Timings, since: float) -> None:
    """Wait for many steps more than there were at `since`, and note the longest time without any."""
    reached = max(record.step for record in _progress(run) if record.time <= since)
    run.wait_for_step(reached + _MORE_STEPS, _PATIENCE)
    timings.note("longest time without a step", longest_wait(run.records(), since))


def wait_for_a_report(run: TrainingRun, since: float) -> None:
    """Wait until the status has news of training that are newer than `since`."""

    def is_so() -> bool:
        told = run.status.get("trainerStatus", {}).get("lastUpdatedTime")
        return told is not None and datetime.fromisoformat(told).timestamp() > since

    wait_until(is_so, _PATIENCE, f"a report of {run.name}", run.shown)


def resumptions_since(run: TrainingRun, since: float) -> list[Resumption]:
    """How often training has begun again since a time, and how."""
    return [resumption for resumption in resumptions(run.records()) if resumption.time > since]


def uids(pods: list[dict[str, Any]]) -> set[str]:
    """Who the pods are."""
    return {pod["metadata"]["uid"] for pod in pods}


def attempts_overlap(run: TrainingRun) -> list[str]:
    """Sentences about attempts of the run that were alive at the same time."""
    return overlaps(AUDIT_LOG, run.namespace, run.name)


def _progress(run: TrainingRun) -> list[Progress]:
    return [record for record in run.records() if isinstance(record, Progress)]
