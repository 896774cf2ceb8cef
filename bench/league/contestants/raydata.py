"""Ray Data as its guide to loading images has it. Without a state: its epoch starts over."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.data

from bench.league.protocol import SIDE, Task, serve

_BUFFER = 1000


class Loader:
    """See the module."""

    @staticmethod
    def prepare(task: Task) -> None:
        """JPEGs are read as they are; raw rows become Parquet, as Ray Data writes it."""
        if task.kind == "raw":
            ray.init("local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            columns = {"number": np.arange(task.rows), "image": np.array(task.raw())}
            ray.data.from_numpy(columns["number"]).map_batches(
                lambda batch: {"number": batch["data"], "image": columns["image"][batch["data"]]}
            ).write_parquet(task.prepared)

    def __init__(self, task: Task):
        ray.init("local", num_cpus=task.workers, include_dashboard=False, logging_level=logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        if task.kind == "jpeg":
            dataset = ray.data.read_images(task.source, size=(SIDE, SIDE), mode="RGB", include_paths=True)
        else:
            dataset = ray.data.read_parquet(task.prepared)
        self._batches = dataset.iter_torch_batches if task.kind == "raw" else dataset.iter_batches
        self._options = {"batch_size": task.batch_rows, "local_shuffle_buffer_size": _BUFFER, "prefetch_batches": 2}

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """An epoch."""
        for batch in self._batches(**self._options):
            ids = batch["number"] if "number" in batch else [int(Path(path).stem) for path in batch["path"]]
            yield ids, batch["image"]


if __name__ == "__main__":
    serve(Loader)
