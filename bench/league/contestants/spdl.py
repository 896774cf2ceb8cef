"""SPDL: a pipeline of threads. Without a state: its epoch starts over.

Its own decoder needs FFmpeg's shared libraries, which no wheel brings, so that the function is torchvision's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from spdl.pipeline import PipelineBuilder

from bench.league.protocol import SEED, Task, serve
from bench.league.torch_rows import decoded

_BUFFERED = 8  # batches


class Loader:
    """See the module."""

    @staticmethod
    def prepare(task: Task) -> None:
        """Reads the files as they are."""

    def __init__(self, task: Task):
        self._task = task
        self._raw = task.raw() if task.kind == "raw" else None
        self._generator = np.random.default_rng(SEED)

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """An epoch."""
        order = self._generator.permutation(self._task.rows)
        parts = np.split(order, range(self._task.batch_rows, self._task.rows, self._task.batch_rows))
        pipeline = (
            PipelineBuilder()
            .add_source(parts)
            .pipe(self._load, concurrency=self._task.workers, output_order="input")
            .add_sink(_BUFFERED)
            .build(num_threads=self._task.workers)
        )
        with pipeline.auto_stop():
            yield from pipeline

    def _load(self, rows: np.ndarray) -> tuple[Any, Any]:
        if self._raw is not None:
            return rows, self._raw[rows]
        return rows, torch.stack([decoded(self._task.jpeg(row)) for row in rows])


if __name__ == "__main__":
    serve(Loader)
