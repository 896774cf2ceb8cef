"""torch's DataLoader with persistent workers and a map-style dataset. Without a state: its epoch starts over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from bench.league.protocol import Task, serve
from bench.league.torch_rows import Rows, as_it_is


class Loader:
    """See the module."""

    @staticmethod
    def prepare(task: Task) -> None:
        """Reads the files as they are."""

    def __init__(self, task: Task):
        self._loader = DataLoader(
            Rows(task),
            batch_size=task.batch_rows,
            shuffle=True,
            num_workers=task.workers,
            collate_fn=as_it_is,
            persistent_workers=True,
        )

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """An epoch."""
        return iter(self._loader)


if __name__ == "__main__":
    serve(Loader)
