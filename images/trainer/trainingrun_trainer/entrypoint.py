"""From a command line to an exit code: reads the run, listens to signals, and runs one attempt."""

from __future__ import annotations

import argparse
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
from trainingrun_trainer.errors import DataError, InvalidConfiguration
from trainingrun_trainer.exits import OUTCOMES, Exit

CONFIG_VARIABLE = "TRAININGRUN_CONFIG"
ATTEMPT_VARIABLE = "TRAININGRUN_ATTEMPT"


class _Sink(Protocol):
    def emit(self, record: Record) -> None: ...

    def close(self) -> None: ...


def main(arguments: list[str]) -> int:
    """Train the run of `--config` (or TRAININGRUN_CONFIG); returns the process's exit code."""
    options = _parser().parse_args(arguments)
    display = display_for(sys.stdout, json=options.json)
    try:
        run = _read(options.config)
        return _train(run, options, display)
    except (InvalidConfiguration, InvalidSpec, DataError) as error:
        return _refuse(display, str(error))
    finally:
        display.close()


def _train(run: Run, options: argparse.Namespace, display: _Sink) -> int:
    # Ray Train reads these when it is imported.
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "1")
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "120")
    from trainingrun_trainer import driver, placement
    from trainingrun_trainer.plan import plan_of, workers_of
    from trainingrun_trainer.sinks.event_log import EventLog, next_attempt
    from trainingrun_trainer.sinks.operator_push import Endpoint, OperatorPush
    from trainingrun_trainer.trainer import start_probe, torch_trainer

    stop = driver.StopRequest()
    _listen(stop)
    workers = workers_of(run)
    if options.num_workers:
        workers = placement.Workers(options.num_workers, gpus=options.worker_gpus, cpus=options.worker_cpus)
    plan = plan_of(run, workers)
    attempt = int(os.environ.get(ATTEMPT_VARIABLE) or next_attempt(plan.storage))
    job = driver.Job(
        run=run,
        storage=plan.storage,
        workers=workers,
        trainer=lambda hub: torch_trainer(plan, hub, attempt),
        datasets={name: listing.pieces for name, listing in plan.listings.items()},
        probe=lambda: start_probe(plan),
        is_complete=lambda: plan.storage.trained_epochs() >= plan.recipe.epochs,
    )
    sinks: list[_Sink] = [EventLog(plan.storage, attempt), display]
    if endpoint := Endpoint.from_environment():
        sinks.append(OperatorPush(endpoint))
    environment = {"PYTHONPATH": os.environ["PYTHONPATH"]} if os.environ.get("PYTHONPATH") else {}
    try:
        with driver.connected(options.address, environment):
            placement.check(placement.live_nodes(), workers)
            return int(driver.Attempt(job, attempt, _fan_out(sinks), stop).run())
    except InvalidConfiguration as error:
        _fan_out(sinks)(_ended(attempt, Exit.INVALID_CONFIGURATION, str(error)))
        return int(Exit.INVALID_CONFIGURATION)
    finally:
        for sink in sinks:
            sink.close()


def _listen(stop: object) -> None:
    """The first signal asks for a checkpoint and an end, the second one ends the process at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.exit is not None:  # type: ignore[attr-defined]
            os._exit(128 + number)
        stop.exit = Exit.ABORTED if number == signal.SIGINT else Exit.PREEMPTED  # type: ignore[attr-defined]

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)


def _read(path: str | None) -> Run:
    if not path:
        raise InvalidConfiguration(f"no run given: use --config FILE or set {CONFIG_VARIABLE}")
    runs = load_runs(path)
    if len(runs) != 1:
        raise InvalidConfiguration(f"{path}: found {len(runs)} TrainingRuns, allowed: exactly one")
    return runs[0].run


def _refuse(display: _Sink, message: str) -> int:
    display.emit(_ended(1, Exit.INVALID_CONFIGURATION, message))
    return int(Exit.INVALID_CONFIGURATION)


def _ended(attempt: int, code: Exit, message: str) -> AttemptEnded:
    return AttemptEnded(
        time=time.time(),
        attempt=attempt,
        outcome=OUTCOMES[code],
        exit_code=int(code),
        message=message,
        seconds=0.0,
    )


def _fan_out(sinks: list[_Sink]) -> Callable[[Record], None]:
    def emit(record: Record) -> None:
        for sink in sinks:
            sink.emit(record)

    return emit


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainingrun_trainer", description=__doc__)
    parser.add_argument("--config", default=os.environ.get(CONFIG_VARIABLE), help="file with one TrainingRun")
    parser.add_argument("--address", help="Ray cluster to use; default: the one that this process is part of")
    parser.add_argument("--json", action="store_true", help="print records as JSON lines")
    parser.add_argument("--num-workers", type=int, help="training workers instead of the run's own number")
    parser.add_argument("--worker-cpus", type=float, default=1.0, help="with --num-workers: CPUs of each")
    parser.add_argument("--worker-gpus", type=int, default=0, help="with --num-workers: GPUs of each")
    return parser
