"""Hugging Face datasets: streamed Parquet, shuffled in a buffer, in torchdata's StatefulDataLoader as it advises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from datasets import load_dataset
from torchdata.stateful_dataloader import StatefulDataLoader

from bench.league.protocol import SEED, Task, serve
from bench.league.torch_rows import image_of, sample_of

_FILES = 8
_BUFFER = 1000


class Loader:
    """See the module."""

    @staticmethod
    def prepare(task: Task) -> None:
        """Some Parquet files, since a worker needs one of its own."""
        raw = task.raw() if task.kind == "raw" else None
        for number, rows in enumerate(np.array_split(np.arange(task.rows), _FILES)):
            table = pa.Table.from_pylist([sample_of(task, int(row), raw) for row in rows])
            pq.write_table(table, Path(task.prepared, f"{number}.parquet"), row_group_size=100)

    def __init__(self, task: Task):
        files = sorted(str(path) for path in Path(task.prepared).glob("*.parquet"))
        dataset = load_dataset("parquet", data_files=files, split="train", streaming=True)
        dataset = dataset.shuffle(seed=SEED, buffer_size=_BUFFER).map(_sample, remove_columns=dataset.column_names)
        self._loader = StatefulDataLoader(
            dataset, batch_size=task.batch_rows, num_workers=task.workers, persistent_workers=True
        )

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """An epoch."""
        return ((batch["number"], batch["image"]) for batch in self._loader)

    def save(self, folder: Path) -> None:
        """As its documentation does it."""
        torch.save(self._loader.state_dict(), folder / "state.pt")

    def restore(self, folder: Path) -> None:
        """The state holds objects of the standard library."""
        self._loader.load_state_dict(torch.load(folder / "state.pt", weights_only=False))


def _sample(sample: dict[str, Any]) -> dict[str, Any]:
    return {"number": sample["id"], "image": image_of(sample)}


if __name__ == "__main__":
    serve(Loader)
