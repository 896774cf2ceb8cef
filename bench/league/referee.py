"""Runs a contestant's process, counts the rows that it says it has delivered, and kills it when it is told to."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.league.protocol import Task
from bench.processes import descendants, environment

_PATIENCE_SECONDS = 180.0
_SAMPLE_SECONDS = 0.3
# A decoder and a resizer may differ from ours by so many grey levels in an image's mean.
_TOLERANCE = 4.0
Event = dict[str, Any]


class Disqualified(Exception):
    """The contestant has died, hangs, or has delivered an image that is not the row's."""


@dataclass(frozen=True)
class Runner:
    """How a contestant is started: its module and interpreter."""

    name: str
    python: Path

    def prepare(self, task: Task) -> None:
        """Have it write its own form of the data."""
        with _process(self, "prepare", task) as process:
            process.wait_for_end()

    def run(self, task: Task, *, stop: Callable[[int], bool] | None = None, watch_memory: bool = False) -> Run:
        """Start it, and kill it with all its processes as soon as `stop` says so of the number of batches so far."""
        means = np.load(Path(task.source) / "means.npy")
        run = Run(began=time.monotonic())
        with _process(self, "run", task) as process:
            run.pid = process.pid
            sampler = _MemorySampler(process.pid) if watch_memory else None
            for event in process.events():
                run.add(event, means)
                if event["event"] == "batch" and stop is not None and stop(run.batches):
                    run.killed = time.monotonic()
                    process.kill()
                    for late in process.rest():
                        run.add(late, means)
                    return run
            process.wait_for_end()
            if len(run.epochs) != task.epochs or not all(run.ids):
                raise Disqualified("it has ended without a batch")
            if sampler is not None:
                run.peak_bytes = sampler.stop()
        return run


@dataclass
class Run:
    """What a process has delivered. Times are of the machine's monotonic clock."""

    began: float
    pid: int = 0
    killed: float | None = None
    peak_bytes: int = 0
    epochs: list[float] = field(default_factory=list)  # when each began
    times: list[list[float]] = field(default_factory=list)  # when each batch came, by epoch
    ids: list[list[list[int]]] = field(default_factory=list)

    @property
    def batches(self) -> int:
        """Batches of the latest epoch."""
        return len(self.ids[-1])

    def add(self, event: Event, means: np.ndarray) -> None:
        """Count an event. Raises Disqualified."""
        if event["event"] == "epoch":
            self.epochs.append(event["time"])
            self.times.append([])
            self.ids.append([])
        elif event["event"] == "batch":
            expected = means[event["ids"][0]]
            if abs(event["mean"] - expected) > _TOLERANCE:
                raise Disqualified(f"row {event['ids'][0]} has mean {event['mean']:.1f}, expected {expected:.1f}")
            self.times[-1].append(event["time"])
            self.ids[-1].append(event["ids"])


class _Process:
    def __init__(self, runner: Runner, order: str, task: Task, log: Path):
        self._runner = runner
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [
                    str(runner.python),
                    *("-m", f"bench.league.contestants.{runner.name}", order, json.dumps(dataclasses.asdict(task))),
                ],
                cwd=log.parent,
                env={**environment(), "HF_HUB_OFFLINE": "1"},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def events(self) -> Iterator[Event]:
        """What it says, until it ends or has kept silent for too long."""
        timer = self._patience()
        for line in self._process.stdout or ():
            timer.cancel()
            timer = self._patience()
            yield json.loads(line)
        timer.cancel()

    def rest(self) -> Iterator[Event]:
        """What it had said when it was killed, unread until now: it may have saved that. Half a line says nothing."""
        for line in self._process.stdout or ():
            if line.endswith("\n"):
                yield json.loads(line)

    def _patience(self) -> threading.Timer:
        timer = threading.Timer(_PATIENCE_SECONDS, self.kill)
        timer.daemon = True
        timer.start()
        return timer

    def wait_for_end(self) -> None:
        """Raises Disqualified with its last words unless it has ended well."""
        if self._process.wait(_PATIENCE_SECONDS):
            raise Disqualified(self._log.read_text(errors="replace").strip()[-2000:] or "killed")

    def kill(self) -> None:
        """SIGKILL for everything that it has started, and for itself."""
        for pid in (*descendants(self.pid), self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def _process(runner: Runner, order: str, task: Task) -> Iterator[_Process]:
    with tempfile.TemporaryDirectory(prefix="league-") as folder:
        process = _Process(runner, order, task, Path(folder) / "log")
        try:
            yield process
        finally:
            process.kill()


class _MemorySampler:
    """The most memory that a process and all below it have held: shared pages count once."""

    def __init__(self, pid: int):
        self._pid = pid
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """End, and return the peak in bytes."""
        self._ended.set()
        self._thread.join()
        return self._peak

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self._peak = max(self._peak, sum(map(_proportional_bytes, (self._pid, *descendants(self._pid)))))


def _proportional_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0
