"""Who drives an attempt in the process that trains: makes records of its news at once, and hears signals.

What it is to training is `reporter.Driver`, which is the hub on a cluster. It must not know what training is.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from trainingrun.contract.exits import Exit
from trainingrun.contract.records import KINDS, Notice, Progress, Record
from trainingrun.spec import Run
from trainingrun_trainer.driver.attempt_records import started
from trainingrun_trainer.storage import RunStorage


class DirectDriver:
    """See the module. `emit` receives every record.

    `stop` is with which exit code the attempt should end once a checkpoint is saved, `ranks` are those of each node
    once training has begun, and `is_finished` says that all epochs are trained.
    """

    def __init__(self, run: Run, storage: RunStorage, attempt: int, emit: Callable[[Record], None]):
        self.stop: Exit | None = None
        self.ranks: dict[str, list[int]] = {}
        self.is_finished = False
        self._run = run
        self._storage = storage
        self._attempt = attempt
        self._emit = emit
        self._is_stop_told = False

    def listen(self) -> None:
        """Hear signals: the first asks for a checkpoint and an end, a second Ctrl-C raises KeyboardInterrupt."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._heard)

    def is_stop_requested(self) -> bool:
        """See Driver."""
        if self.stop is not None and not self._is_stop_told:
            self._is_stop_told = True
            self.notice("stopping after saving a checkpoint; another Ctrl-C ends at once")
        return self.stop is not None

    def publish(self, status: dict[str, Any]) -> None:
        """See Driver."""
        self.tell(Progress.kind, status)

    def tell(self, kind: str, values: dict[str, Any]) -> None:
        """See Driver."""
        if kind != "Started":
            self._emit(KINDS[kind](time=time.time(), attempt=self._attempt, **values))
            return
        self.ranks = values.pop("ranks")
        values.pop("generation")
        self._emit(started(self._run, self._storage, self._attempt, world_size=1, **values))

    def finish(self) -> None:
        """See Driver."""
        self.is_finished = True

    def notice(self, message: str, *, level: str = "Info") -> None:
        """A sentence for the run's author."""
        self.tell(Notice.kind, {"level": level, "message": message})

    def _heard(self, number: int, frame: FrameType | None) -> None:
        is_interrupt = number == signal.SIGINT
        if self.stop is None:
            self.stop = Exit.ABORTED if is_interrupt else Exit.PREEMPTED
        elif is_interrupt:
            raise KeyboardInterrupt
