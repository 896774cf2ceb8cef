"""Does on one machine what the operator does on a cluster: runs attempts until one ends for good.

It shows the drivers' records and passes signals on. It never looks into training: only exit codes and records.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Protocol

import yaml

from trainingrun.contract import variables
from trainingrun.contract.exits import Exit
from trainingrun.contract.records import AttemptEnded, Notice, Record, parse_line
from trainingrun.spec import Run
from trainingrun_trainer.driver.event_log import EventLog, next_attempt
from trainingrun_trainer.local.process import Driver
from trainingrun_trainer.storage import RunStorage


class Display(Protocol):
    """What shows records to a user."""

    def emit(self, record: Record) -> None:
        """Show one record."""


@dataclasses.dataclass(frozen=True)
class Launch:
    """How to start a driver for `run`: with which variables, and where it may write."""

    run: Run
    storage: RunStorage
    variables: dict[str, str]
    work_directory: Path
    is_verbose: bool


class Supervisor:
    """Runs the attempts of one run."""

    def __init__(self, launch: Launch, display: Display, show_output: Callable[[str], None]):
        self._launch = launch
        self._display = display
        self._show_output = show_output
        self._driver: Driver | None = None
        self._signals = 0

    def run(self) -> Exit:
        """Attempts until one ends for good or the run's backoffLimit is used up."""
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        failures = 0
        while True:
            code = self._attempt(next_attempt(self._launch.storage))
            if code is not Exit.INFRASTRUCTURE or self._signals:
                return code
            failures += 1
            if failures > self._launch.run.spec.backoff_limit:
                return code

    def _attempt(self, number: int) -> Exit:
        launch = self._launch
        config = launch.work_directory / "run.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(yaml.safe_dump(launch.run.to_document(), sort_keys=False))
        began = time.time()
        ours = {variables.ATTEMPT: str(number), variables.CONFIG: str(config), "PYTHONUNBUFFERED": "1"}
        self._driver = Driver(
            _command(launch),
            {**launch.variables, **ours},
            None if launch.is_verbose else launch.work_directory / f"driver-{number:04d}.log",
        )
        ended: AttemptEnded | None = None
        for line in self._driver.lines():
            record = parse_line(line)
            if record is None:
                self._show_output(line)
                continue
            self._display.emit(record)
            ended = record if isinstance(record, AttemptEnded) else ended
        code = self._driver.end()
        self._driver = None
        if ended is not None:
            return Exit(ended.exit_code)
        return self._lost(number, code, time.time() - began)

    def _lost(self, number: int, code: int, seconds: float) -> Exit:
        """The driver died without an end record; write one in its place."""
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        log = self._launch.work_directory / f"driver-{number:04d}.log"
        code_known = Exit(code) if code in (Exit.ABORTED, Exit.PREEMPTED) else Exit.INFRASTRUCTURE
        record = AttemptEnded(
            time=time.time(),
            attempt=number,
            outcome=code_known.outcome,
            exit_code=int(code_known),
            message=f"the driver {how} without a message; its log is {log}",
            seconds=seconds,
        )
        self._display.emit(record)
        if self._launch.storage.local_directory is not None:
            log_sink = EventLog(self._launch.storage, number)
            log_sink.emit(record)
            log_sink.close()
        return code_known

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        if self._driver is None:
            raise KeyboardInterrupt
        if self._signals > 1:
            self._driver.signal(signal.SIGKILL)
            raise KeyboardInterrupt
        self._driver.signal(number)


def _command(launch: Launch) -> list[str]:
    command = launch.run.spec.trainer.command
    if command:
        return [*command, *launch.run.spec.trainer.args]
    return [sys.executable, "-m", "trainingrun_trainer"]


def notice(message: str, attempt: int) -> Notice:
    """A notice about an attempt from outside its driver."""
    return Notice(time=time.time(), attempt=attempt, level="Info", message=message)


def python_path(file: Path) -> str:
    """A PYTHONPATH that also finds modules next to the run's file."""
    return os.pathsep.join(filter(None, [str(file.resolve().parent), os.environ.get("PYTHONPATH", "")]))
