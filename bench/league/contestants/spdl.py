"""SPDL: a pipeline of threads with a decoder of its own. Without a state: its epoch starts over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import spdl.io
from spdl.pipeline import PipelineBuilder

from bench.league.protocol import SEED, SIDE, Task, serve

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

    def _load(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._raw is not None:
            return rows, self._raw[rows]
        files = [str(self._task.file(row)) for row in rows]
        return rows, spdl.io.to_numpy(spdl.io.load_image_batch(files, width=SIDE, height=SIDE))


if __name__ == "__main__":
    serve(Loader)
