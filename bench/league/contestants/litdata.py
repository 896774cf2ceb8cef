"""LitData: chunks written by `optimize`, read by StreamingDataset and StreamingDataLoader, which has a state."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from litdata import StreamingDataLoader, StreamingDataset, optimize

from bench.league.protocol import SEED, Task, serve
from bench.league.torch_rows import image_of, sample_of


class _Images(StreamingDataset):
    def __getitem__(self, index: Any) -> tuple[int, torch.Tensor]:
        sample = super().__getitem__(index)
        return sample["id"], image_of(sample)


class Loader:
    """See the module."""

    @staticmethod
    def prepare(task: Task) -> None:
        """Chunks of 64 MB, as its documentation has them."""
        raw = task.raw() if task.kind == "raw" else None
        optimize(
            fn=partial(sample_of, task, raw=raw),
            inputs=list(range(task.rows)),
            output_dir=task.prepared,
            chunk_bytes="64MB",
            num_workers=1,
        )

    def __init__(self, task: Task):
        dataset = _Images(task.prepared, shuffle=True, seed=SEED, drop_last=False)
        self._loader = StreamingDataLoader(
            dataset, batch_size=task.batch_rows, num_workers=task.workers, persistent_workers=True
        )

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """An epoch."""
        return iter(self._loader)

    def save(self, folder: Path) -> None:
        """As its documentation does it."""
        torch.save(self._loader.state_dict(), folder / "state.pt")

    def restore(self, folder: Path) -> None:
        """The state holds objects of the standard library."""
        self._loader.load_state_dict(torch.load(folder / "state.pt", weights_only=False))


if __name__ == "__main__":
    serve(Loader)
