"""What the figures about feeding steps share: epochs of steps that sleep, and how long each waited for its batch."""

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


def step_seconds(data_cpus: int) -> float:
    """How long a step takes that needs two thirds of what so many data CPUs make."""
    return BATCH_ROWS * _SURPLUS / (data_cpus * ROWS_PER_CPU)


def waits(path: Path, epochs: int, data_cpus: int) -> list[list[float]]:
    """Seconds that each step has waited for its batch, epoch by epoch, and at the end of each for the news of it."""
    chain = Chain((Step(TRANSFORM, "Batch"),))
    waited = []
    with passes_over(path, chain, data_cpus=data_cpus, batch_rows=BATCH_ROWS) as passes:
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
