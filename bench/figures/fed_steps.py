"""What the figures about feeding steps share: epochs of steps that sleep, and how long these wait for batches."""

from __future__ import annotations

import time
from pathlib import Path

from bench.pipelines.passes import passes_over
from bench.pipelines.slow_rows import ROWS_PER_CPU, TRANSFORM
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.transform import Chain

BATCH_ROWS = 32
# So many rows a second more than the steps take.
_SURPLUS = 1.5
_CHAIN = Chain((Step(TRANSFORM, "Batch"),))


def step_seconds(data_cpus: int) -> float:
    """How long a step takes that needs two thirds of what so many data CPUs make."""
    return BATCH_ROWS * _SURPLUS / (data_cpus * ROWS_PER_CPU)


def waits(path: Path, epochs: int, data_cpus: int) -> list[list[float]]:
    """Seconds that each step has waited for its batch, epoch by epoch, and at the end of each for the news of it."""
    waited = []
    with passes_over(path, _CHAIN, data_cpus=data_cpus, batch_rows=BATCH_ROWS) as passes:
        for number in range(epochs):
            waited.append([0.0])
            began = time.monotonic()
            for _ in passes.epoch(number):
                waited[-1][-1] += time.monotonic() - began
                time.sleep(step_seconds(data_cpus))
                waited[-1].append(0.0)
                began = time.monotonic()
            waited[-1][-1] += time.monotonic() - began
    return waited


class Device:
    """Takes `seconds` for each step as a GPU does, beside the process: a step is queued while the one before runs."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._ends: float | None = None
        self._idle = self._busy = 0.0

    def queue(self) -> None:
        """Queue a step, and wait until it begins: a training loop looks at each step's loss while the next one runs."""
        now = time.monotonic()
        begins = now if self._ends is None else max(now, self._ends)
        self._idle += 0.0 if self._ends is None else begins - self._ends
        self._busy += self._seconds
        self._ends = begins + self._seconds
        time.sleep(max(0.0, begins - time.monotonic()))

    @property
    def stall(self) -> float:
        """The share of time since its first step began in which it had none, in percent."""
        return 100 * self._idle / (self._idle + self._busy)


def device_stall(path: Path, epochs: int, data_cpus: int) -> float:
    """The stall, in percent, of a device that computes so many epochs."""
    device = Device(step_seconds(data_cpus))
    with passes_over(path, _CHAIN, data_cpus=data_cpus, batch_rows=BATCH_ROWS) as passes:
        for number in range(epochs):
            for _ in passes.epoch(number):
                device.queue()
    return device.stall
