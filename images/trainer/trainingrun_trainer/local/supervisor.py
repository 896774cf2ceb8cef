"""Does on one machine what the operator does on a cluster: runs attempts until one ends for good.

It shows the drivers' records and passes signals on. It never looks into training: only exit codes and records.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Protocol

import yaml

from trainingrun.contract import variables
from trainingrun.contract.exits import Exit
from trainingrun.contract.records import AttemptEnded, Notice, Record, parse_line
from trainingrun.failures.policy import backoff
from trainingrun.spec import Run
from trainingrun_trainer.driver.event_log import EventLog, next_attempt
from trainingrun_trainer.local.process import AnyDriver, Driver, StartDriver
from trainingrun_trainer.storage import RunStorage


class Display(Protocol):
    """What shows records to a user."""

    def emit(self, record: Record) -> None:
        """Show one record."""


@dataclasses.dataclass(frozen=True)
class Launch:
    """How to start a driver for `run`: with which variables, and where it may write.

    A command of the run's own starts in `directory`, or here if that is None.
    """

    run: Run
    storage: RunStorage
    variables: dict[str, str]
    work_directory: Path
    is_verbose: bool
    directory: Path | None = None


@dataclasses.dataclass(frozen=True)
class _Started:
    """A driver of the attempt `number`; `began` is in seconds since 1970."""

    driver: AnyDriver
    number: int
    began: float


class Supervisor:
    """Runs the attempts of one run. `start_driver` starts drivers, as `Driver` does unless another is given."""

    def __init__(
        self,
        launch: Launch,
        display: Display,
        show_output: Callable[[str], None],
        start_driver: StartDriver | None = None,
    ):
        self._launch = launch
        self._display = display
        self._show_output = show_output
        self._start_driver = start_driver
        self._driver: AnyDriver | None = None
        self._prepared: _Started | None = None
        self._stop: Exit | None = None
        self._interrupts = 0
        self._pause = threading.Event()

    def prepare(self) -> None:
        """Start the first attempt's driver before there is a cluster: it imports and looks at the data meanwhile."""
        if self._waits:
            self._prepared = self._start(None)

    def close(self) -> None:
        """End a driver whose cluster has not come. It has done nothing yet that anybody would miss."""
        if self._prepared is not None:
            self._prepared.driver.signal(signal.SIGKILL)
            self._prepared.driver.end()
            self._prepared = None

    def run(self, address: str) -> Exit:
        """Attempts until one ends for good or the run's backoffLimit is used up, with the operator's pauses.

        Only a first driver that was killed is replaced at once: there is nothing to wait for.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        failures = 0
        while True:
            attempt, code, was_killed = self._attempt(address)
            if code is not Exit.INFRASTRUCTURE or self._stop is not None:
                return code
            failures += 1
            if failures > self._launch.run.spec.backoff_limit:
                return code
            seconds = 0.0 if was_killed and failures == 1 else backoff(failures).total_seconds()
            self._show(notice(f"this was failure {failures}; trying again in {seconds:g} seconds", attempt))
            self._pause.wait(seconds)
            if self._stop is not None:
                return self._stop

    @property
    def _waits(self) -> bool:
        """Whether drivers are the package's own, which can wait for the cluster's address."""
        return not self._launch.run.spec.trainer.command

    def _start(self, address: str | None) -> _Started:
        launch, number = self._launch, next_attempt(self._launch.storage)
        config = launch.work_directory / "run.yaml"
        config.write_text(yaml.safe_dump(launch.run.to_document(), sort_keys=False))
        began = time.time()
        ours = {variables.ATTEMPT: str(number), variables.CONFIG: str(config.resolve()), "PYTHONUNBUFFERED": "1"}
        if address is not None and not self._waits:
            # `python` is the one with Ray and this package, as in the image, also where no environment is activated.
            folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
            ours |= {"RAY_ADDRESS": address, "PATH": os.pathsep.join(folders)}
        driver = (self._start_driver or Driver)(
            _command(launch),
            {**launch.variables, **ours},
            None if launch.is_verbose else launch.work_directory / f"driver-{number:04d}.log",
            waits=self._waits,
            directory=None if self._waits else launch.directory,
        )
        return _Started(driver, number, began)

    def _attempt(self, address: str) -> tuple[int, Exit, bool]:
        """The attempt's number, how it has ended, and whether its driver was killed."""
        started, self._prepared = self._prepared or self._start(address), None
        self._driver = started.driver
        if self._stop is not None:  # a signal that came before there was a driver to hear it
            self._driver.signal(signal.SIGTERM)
        self._driver.connect(address)
        ended: AttemptEnded | None = None
        for line in self._driver.lines():
            record = parse_line(line)
            self._show(line if record is None else record)
            ended = record if isinstance(record, AttemptEnded) else ended
        code = self._driver.end()
        self._driver = None
        if ended is not None:
            return started.number, Exit(ended.exit_code), False
        return started.number, self._lost(started.number, code, started.began), code < 0

    def _show(self, news: Record | str) -> None:
        """Show what the driver says, as long as anybody can see it: training goes on when the terminal is closed."""
        with contextlib.suppress(OSError):
            if isinstance(news, str):
                self._show_output(news)
            else:
                self._display.emit(news)

    def _lost(self, number: int, code: int, began: float) -> Exit:
        """The driver died without an end record; write one in its place."""
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        log = self._launch.work_directory / f"driver-{number:04d}.log"
        code_known = Exit(code) if code in (Exit.ABORTED, Exit.PREEMPTED) else Exit.INFRASTRUCTURE
        message = f"the driver {how} without a message; its log is {log}"
        record = end_without_driver(code_known, message, number, began)
        self._show(record)
        if self._launch.storage.local_directory is not None:
            log_sink = EventLog(self._launch.storage, number)
            log_sink.emit(record)
            log_sink.close()
        return code_known

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Pass it on. Only a second Ctrl-C ends at once: the driver may be saving a checkpoint.

        A terminal that is closed sends SIGHUP, and some send it with a SIGTERM before or after.
        """
        is_interrupt = number == signal.SIGINT
        self._interrupts += is_interrupt
        if self._stop is None:
            self._stop = Exit.ABORTED if is_interrupt else Exit.PREEMPTED
        self._pause.set()
        if self._driver is None:
            return
        if self._interrupts > 1:
            self._driver.signal(signal.SIGKILL)
            raise KeyboardInterrupt
        self._driver.signal(signal.SIGINT if is_interrupt else signal.SIGTERM)


def _command(launch: Launch) -> list[str]:
    command = launch.run.spec.trainer.command
    if command:
        return [*command, *launch.run.spec.trainer.args]
    return [sys.executable, "-m", "trainingrun_trainer", "--address", "-"]


def end_without_driver(code: Exit, message: str, attempt: int, began: float) -> AttemptEnded:
    """The last record of an attempt whose driver cannot say it; `began` is in seconds since 1970."""
    now = time.time()
    return AttemptEnded(
        time=now,
        attempt=attempt,
        outcome=code.outcome,
        exit_code=int(code),
        message=message,
        seconds=now - began,
    )


def notice(message: str, attempt: int) -> Notice:
    """A notice about an attempt from outside its driver."""
    return Notice(time=time.time(), attempt=attempt, level="Info", message=message)
