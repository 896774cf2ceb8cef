"""Surrounds one attempt with what every training process needs: signals, records to all who listen, a connection to
Ray, and the check that the cluster has what the run needs.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from trainingrun.display import display_for
from trainingrun.errors import InvalidSpec
from trainingrun.progress import AttemptEnded, Record
from trainingrun.spec import Run
from trainingrun.spec.documents import load_runs
from trainingrun_trainer import options, placement
from trainingrun_trainer.driver import Attempt, Job, StopRequest, connected
from trainingrun_trainer.errors import InvalidConfiguration
from trainingrun_trainer.exits import OUTCOMES, Exit
from trainingrun_trainer.options import Options
from trainingrun_trainer.plan import storage_of
from trainingrun_trainer.sinks.event_log import EventLog, next_attempt
from trainingrun_trainer.sinks.operator_push import Endpoint, OperatorPush

# Nodes that are just joining must not fail a run; those that never come must, soon.
_NODES_SECONDS = 15.0


class Sink(Protocol):
    """Takes records as they come."""

    def emit(self, record: Record) -> None:
        """Take one record."""

    def close(self) -> None:
        """Write what is left."""


def launch(chosen: Options, job_of: Callable[[Run, int], Job]) -> Exit:
    """Run one attempt at the run that `chosen` names; `job_of` makes the job of (run, attempt)."""
    stop = StopRequest()
    _listen(stop)
    display = display_for(sys.stdout, json=chosen.json)
    sinks: list[Sink] = [display]
    attempt = chosen.attempt or 1
    try:
        run = _read(chosen.config)
        storage = storage_of(run)
        attempt = chosen.attempt or next_attempt(storage)
        sinks.append(EventLog(storage, attempt))
        if endpoint := Endpoint.from_environment():
            sinks.append(OperatorPush(endpoint))
        job = job_of(run, attempt)
        with connected(chosen.address, _worker_environment()):
            _listen(stop)  # again: connecting puts Ray's own handler of SIGTERM in place
            _await_nodes(job.workers)
            return Attempt(job, attempt, _fan_out(sinks), stop).run()
    except (InvalidConfiguration, InvalidSpec) as error:
        _fan_out(sinks)(_refused(attempt, str(error)))
        return Exit.INVALID_CONFIGURATION
    finally:
        for sink in reversed(sinks):
            sink.close()


def _listen(stop: StopRequest) -> None:
    """The first signal asks for a checkpoint and an end, the second one ends the process at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.exit is not None:
            os._exit(128 + number)
        stop.exit = Exit.ABORTED if number == signal.SIGINT else Exit.PREEMPTED

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)


def _read(path: str | None) -> Run:
    if not path:
        raise InvalidConfiguration(f"no run given: use --config FILE or set {options.CONFIG}")
    runs = load_runs(path)
    if len(runs) != 1:
        raise InvalidConfiguration(f"{path}: found {len(runs)} TrainingRuns, allowed: exactly one")
    return runs[0].run


def _worker_environment() -> dict[str, str]:
    """What Ray's processes need to find the author's modules."""
    return {"PYTHONPATH": os.environ["PYTHONPATH"]} if os.environ.get("PYTHONPATH") else {}


def _await_nodes(workers: placement.Workers) -> None:
    deadline = time.monotonic() + _NODES_SECONDS
    while True:
        try:
            return placement.check(placement.live_nodes(), workers)
        except InvalidConfiguration:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _refused(attempt: int, message: str) -> AttemptEnded:
    code = Exit.INVALID_CONFIGURATION
    return AttemptEnded(
        time=time.time(), attempt=attempt, outcome=OUTCOMES[code], exit_code=int(code), message=message, seconds=0.0
    )


def _fan_out(sinks: list[Sink]) -> Callable[[Record], None]:
    def emit(record: Record) -> None:
        for sink in sinks:
            sink.emit(record)

    return emit
