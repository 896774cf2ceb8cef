"""Surrounds one attempt with what every training process needs: signals, records to all who listen, a connection to
Ray, and the check that the cluster has what the run needs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Protocol

import ray

from trainingrun.contract import variables
from trainingrun.contract.exits import Exit
from trainingrun.contract.records import Notice, Record
from trainingrun.display import display_for
from trainingrun.errors import InvalidSpec
from trainingrun.spec import Run
from trainingrun.spec.documents import load_runs
from trainingrun_trainer import placement
from trainingrun_trainer.driver.attempt import Attempt, Job, StopRequest
from trainingrun_trainer.driver.attempt_records import ended
from trainingrun_trainer.driver.event_log import EventLog
from trainingrun_trainer.driver.folder_hold import Waiting, folder_held
from trainingrun_trainer.driver.kept_output import kept_output
from trainingrun_trainer.driver.options import Options
from trainingrun_trainer.driver.progress_push import Endpoint, OperatorPush
from trainingrun_trainer.driver.shape import storage_of
from trainingrun_trainer.driver.trackers import trackers_of
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import Failure, InvalidConfiguration, NodesLost

# Nodes that are just joining must not fail a run; those that never come must, soon.
_NODES_SECONDS = 15.0
# Those of a cluster that was made for the run do come: after the loss of its head, Ray takes a minute to notice that
# on each node, and the node starts again.
_OWN_NODES_SECONDS = 180.0


class Sink(Protocol):
    """Takes records as they come."""

    def emit(self, record: Record) -> None:
        """Take one record."""

    def close(self) -> None:
        """Write what is left."""


def launch(chosen: Options, job_of: Callable[[Run, int, str | None], Job]) -> Exit:
    """Run one attempt at the run that `chosen` names; `job_of` makes the job of (run, attempt, fence)."""
    stop = StopRequest()
    _listen(stop)
    display = display_for(sys.stdout, json=chosen.json)
    keepers: list[Sink] = []
    attempt = chosen.attempt or 0
    began = time.time()
    try:
        run = _read(chosen.config)
        storage = storage_of(run)
        storage.check(is_first=not chosen.attempt)
        with folder_held(run, storage, chosen.attempt, _waiting(stop, display, attempt)) as folder:
            attempt = folder.number
            own = chosen.attempt or 0
            others = (*trackers_of(run, storage, attempt, own), *kept_output(run, storage, own))
            keepers.append(EventLog(storage, attempt, others))
            if endpoint := Endpoint.from_environment():
                keepers.append(OperatorPush(endpoint))
            job = job_of(run, attempt, folder.fence)
            with connected(_address(chosen.address), _worker_environment()):
                _listen(stop)  # again: connecting puts Ray's own handler of SIGTERM in place
                _await_nodes(job.workers, chosen, stop)
                if stop.exit is None:
                    emit = _fan_out([display, *keepers])
                    last = Attempt(job, attempt, emit, stop, lost=lambda: folder.lost).run()
                else:
                    last = ended(Failure(stop.exit, "stopped before training began"), attempt, began)
                _fan_out(keepers)(last)
    except Exception as error:
        invalid = Failure(Exit.INVALID_CONFIG, str(error)) if isinstance(error, InvalidSpec) else None
        last = ended(invalid or failure_of(error), attempt, began)
        _fan_out(keepers)(last)
    for keeper in keepers:
        keeper.close()
    # At the very end of the output: the operator reads it in the few last lines that Ray keeps of a job's log.
    display.emit(last)
    display.close()
    return Exit(last.exit_code)


def _waiting(stop: StopRequest, display: Sink, attempt: int) -> Waiting:
    """A wait for a folder that may still be another's, which a signal ends."""

    def tell(message: str) -> None:
        display.emit(Notice(time=time.time(), attempt=attempt, level="Warning", message=message))

    return Waiting(tell, lambda: stop.exit is not None)


def _listen(stop: StopRequest) -> None:
    """The first signal asks for a checkpoint and an end, a second SIGINT ends the process at once.

    A second SIGTERM does not: Ray's job manager and the pod's hook each send one where a pod is preempted.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.exit is None:
            stop.exit = Exit.ABORTED if number == signal.SIGINT else Exit.PREEMPTED
        elif number == signal.SIGINT:
            os._exit(128 + number)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)


def _read(path: str | None) -> Run:
    if not path:
        raise InvalidConfiguration(f"no run given: use --config FILE or set {variables.CONFIG}")
    runs = load_runs(path)
    if len(runs) != 1:
        raise InvalidConfiguration(f"{path}: found {len(runs)} TrainingRuns, allowed: exactly one")
    return runs[0].run


def _address(chosen: str | None) -> str | None:
    """Where the cluster is. `-`, as `trainingrun local` says it, is a line of standard input that comes when it is up.

    All that needs no cluster is done by then.
    """
    if chosen != "-":
        return chosen
    address = sys.stdin.readline().strip()
    if not address:
        raise NodesLost("standard input has ended without the address of a Ray cluster")
    return address


def _worker_environment() -> dict[str, str]:
    """What Ray's processes need to find the author's modules, unless their nodes have it."""
    path = "" if os.environ.get(variables.NODES_HAVE_PATH) else os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": path} if path else {}


def _await_nodes(workers: placement.Workers, chosen: Options, stop: StopRequest) -> None:
    """Wait until the cluster can hold the workers, or a stop is requested. Raises InvalidConfiguration, NodesLost."""
    is_own = chosen.num_workers is None
    deadline = time.monotonic() + (_OWN_NODES_SECONDS if is_own else _NODES_SECONDS)
    while stop.exit is None:
        try:
            return placement.check(placement.live_nodes(), workers)
        except InvalidConfiguration as error:
            if time.monotonic() <= deadline:
                time.sleep(0.2)
            elif is_own:
                # The cluster was made for the run as it is, so what it lacks has been lost since.
                raise NodesLost(str(error)) from None
            else:
                raise


def _fan_out(sinks: list[Sink]) -> Callable[[Record], None]:
    def emit(record: Record) -> None:
        for sink in sinks:
            sink.emit(record)

    return emit


@contextlib.contextmanager
def connected(address: str | None, environment: dict[str, str]) -> Iterator[None]:
    """A connection to Ray at `address` (None: whatever the environment says), closed at the end.

    A process that is connected already, having waited for its run, stays so.
    """
    if not ray.is_initialized():
        connect(address, environment)
    try:
        yield
    finally:
        ray.shutdown()


def connect(address: str | None, environment: dict[str, str]) -> None:
    """Connect to Ray; its processes get the variables of `environment`."""
    ray.init(
        address=address or "auto",
        log_to_driver=True,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": environment} if environment else None,
    )
