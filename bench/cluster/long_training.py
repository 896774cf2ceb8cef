"""Runs that train until they are no longer needed, and what a killed pod costs one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import long_run
from faults import Faults
from namespaces import Namespace
from run_on_cluster import TrainingRun
from timings import Timings

from trainingrun.contract.records import AttemptStarted, WorkersRestarted

# Far more epochs than are trained, and far more failures than happen.
_EPOCHS, _BACKOFF_LIMIT = 10_000, 100
# What the records say when training begins again.
_RESTARTS = (AttemptStarted, WorkersRestarted)


@dataclass(frozen=True)
class Loss:
    """Seconds from a kill until the pod in its place had started (in whole seconds), until the workers' loop began
    again, and until the next step; and the steps that had to be taken again.
    """

    pod: float
    loop: float
    seconds: float
    steps: int


def start_training(namespace: Namespace, *names: str) -> list[TrainingRun]:
    """Apply the digits by these names, and return when all of them have done a step."""
    return long_run.start_all(namespace, names, _EPOCHS, backoffLimit=_BACKOFF_LIMIT)


def kill(run: TrainingRun, faults: Faults, group: str) -> Loss:
    """Kill the first pod of a group, once there are steps since a checkpoint, and wait until training has gone on."""
    long_run.wait_for_something_to_lose(run)
    killed = faults.kill(run.pods(group)[0])
    reached = run.wait_for_step(1, 0)
    resumption = long_run.wait_for_resumption(run, Timings("bench"), killed)
    assert resumption.is_seamless, f"training did not go on from its checkpoint: {resumption}"
    loop = max(r.time for r in run.records() if isinstance(r, _RESTARTS) and r.time <= resumption.time)
    return Loss(
        pod=_last_start(run, group) - killed,
        loop=loop - killed,
        seconds=resumption.time - killed,
        steps=reached - resumption.resumed_at,
    )


def _last_start(run: TrainingRun, group: str) -> float:
    """When the youngest container of a group's pods started, in seconds since 1970."""
    containers = [status for pod in run.pods(group) for status in pod["status"]["containerStatuses"]]
    started = [status["state"]["running"]["startedAt"] for status in containers if "running" in status["state"]]
    return max(datetime.fromisoformat(time).timestamp() for time in started)
