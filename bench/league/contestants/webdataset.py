"""webdataset: tar files, shuffled by shard and in a buffer. Without a state: its epoch starts over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import webdataset

from bench.league.protocol import Task, serve
from bench.league.torch_rows import image_of, sample_of

_SHARDS = 20
_BUFFER = 1000


class Loader:
    """See the module."""

    @staticmethod
    def prepare(task: Task) -> None:
        """Tar files of equal size."""
        raw = task.raw() if task.kind == "raw" else None
        with webdataset.ShardWriter(f"{task.prepared}/%06d.tar", maxcount=task.rows // _SHARDS, verbose=0) as writer:
            for row in range(task.rows):
                sample = sample_of(task, row, raw)
                writer.write({"__key__": f"{sample.pop('id'):06d}", **sample})

    def __init__(self, task: Task):
        shards = sorted(str(path) for path in Path(task.prepared).glob("*.tar"))
        dataset = (
            webdataset.WebDataset(shards, shardshuffle=_SHARDS, nodesplitter=webdataset.split_by_node)
            .shuffle(_BUFFER)
            .map(_sample)
            .batched(task.batch_rows)
        )
        self._loader = webdataset.WebLoader(dataset, batch_size=None, num_workers=task.workers, persistent_workers=True)

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """An epoch."""
        return iter(self._loader)


def _sample(sample: dict[str, Any]) -> tuple[int, Any]:
    return int(sample["__key__"]), image_of(sample)


if __name__ == "__main__":
    serve(Loader)
