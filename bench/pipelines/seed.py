"""The baseline: a DataFrame's Parquet file of nested lists, read and transformed row by row with Ray Data.

Ray is given both CPUs here, while the consumer, which has next to nothing to do, is this process.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import ray
import ray.data

from bench.pipelines.epoch import checked, timed
from bench.pipelines.transforms import transform_images


class Seed:
    """See the module."""

    def __init__(self, file: Path, rows: int, cpus: int):
        self._rows = rows
        ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        dataset = ray.data.read_parquet(str(file)).map(transform_images)
        self._batches = dataset.iter_torch_batches(batch_size=512, prefetch_batches=2)

    def epoch(self) -> dict[str, Any]:
        """One epoch, timed."""
        return timed(lambda: self._batches, self._rows)

    def check(self, arrays: Path) -> dict[str, Any]:
        """One epoch, compared."""
        return checked(lambda: self._batches, self._rows, arrays)

    def close(self) -> None:
        """Stop Ray."""
        ray.shutdown()
