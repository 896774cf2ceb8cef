"""MosaicML streaming: MDS shards, read by StreamingDataset and StreamingDataLoader, which has a state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streaming import MDSWriter, StreamingDataLoader, StreamingDataset
from streaming.base.util import clean_stale_shared_memory

from bench.league.protocol import SEED, Task, serve
from bench.league.torch_rows import image_of, sample_of


class _Images(StreamingDataset):
    def __getitem__(self, index: Any) -> Any:
        sample = super().__getitem__(index)
        return sample["id"], image_of(sample)


class Loader:
    """See the module."""

    @staticmethod
    def prepare(task: Task) -> None:
        """MDS shards of its default size."""
        raw = task.raw() if task.kind == "raw" else None
        columns = {"id": "int", "jpeg" if raw is None else "raw": "bytes"}
        with MDSWriter(out=task.prepared, columns=columns, exist_ok=True) as writer:
            for row in range(task.rows):
                writer.write(sample_of(task, row, raw))

    def __init__(self, task: Task):
        # What a killed process leaves behind; its documentation says to call this.
        clean_stale_shared_memory()
        dataset = _Images(local=task.prepared, shuffle=True, shuffle_seed=SEED, batch_size=task.batch_rows)
        self._loader = StreamingDataLoader(
            dataset, batch_size=task.batch_rows, num_workers=task.workers, persistent_workers=True
        )

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """An epoch."""
        return iter(self._loader)

    def save(self, folder: Path) -> None:
        """As its documentation does it."""
        (folder / "state.json").write_text(json.dumps(self._loader.state_dict()))

    def restore(self, folder: Path) -> None:
        """The inverse."""
        self._loader.load_state_dict(json.loads((folder / "state.json").read_text()))


if __name__ == "__main__":
    serve(Loader)
