"""trainingrun: our data path without training, as `trainingrun local` puts it together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.league.protocol import SIDE, Task, serve
from bench.pipelines.jpegs import write_jpeg_rows
from bench.pipelines.passes import Passes, passes_over
from trainingrun_trainer.convert import convert
from trainingrun_trainer.data.consumed import Consumed


class Loader:
    """See the module. Its state is what a checkpoint of a run holds: which rows of the epoch are used."""

    @staticmethod
    def prepare(task: Task) -> None:
        """Parquet: JPEGs as bytes, raw rows as `trainingrun convert` writes them."""
        if task.kind == "jpeg":
            write_jpeg_rows(Path(task.source), task.rows, Path(task.prepared))
        else:
            rows = {"number": np.arange(task.rows), "image": np.array(task.raw())}
            convert(rows, Path(task.prepared) / "rows")

    def __init__(self, task: Task):
        is_jpeg = task.kind == "jpeg"
        path = Path(task.prepared) if is_jpeg else Path(task.prepared) / "rows"
        size = (SIDE, SIDE) if is_jpeg else None
        self._opened = passes_over(path, None, data_cpus=task.workers, batch_rows=task.batch_rows, image_size=size)
        self._passes: Passes = self._opened.__enter__()
        self._consumed = Consumed()
        self._number = 0

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """An epoch, or the rest of the one that was restored."""
        for portion in self._passes.epoch(self._number, self._consumed):
            # Before the batch is used, as a training step adds them before it is saved.
            self._consumed.add(portion.ids)
            assert portion.batch is not None, "one rank has rows in every step"
            yield portion.batch["number"], portion.batch["image"]
        self._consumed = Consumed()
        self._number += 1

    def save(self, folder: Path) -> None:
        """Some bytes."""
        (folder / "consumed").write_bytes(self._consumed.to_bytes())

    def restore(self, folder: Path) -> None:
        """The inverse."""
        self._consumed = Consumed.from_bytes((folder / "consumed").read_bytes())


if __name__ == "__main__":
    serve(Loader)
