"""torchdata's StatefulDataLoader, the drop-in for DataLoader that has a state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torchdata.stateful_dataloader import StatefulDataLoader

from bench.league.protocol import Task, serve
from bench.league.torch_rows import Rows, as_it_is


class Loader:
    """See the module."""

    @staticmethod
    def prepare(task: Task) -> None:
        """Reads the files as they are."""

    def __init__(self, task: Task):
        self._loader = StatefulDataLoader(
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

    def save(self, folder: Path) -> None:
        """As its documentation does it."""
        torch.save(self._loader.state_dict(), folder / "state.pt")

    def restore(self, folder: Path) -> None:
        """The state holds objects of the standard library."""
        self._loader.load_state_dict(torch.load(folder / "state.pt", weights_only=False))


if __name__ == "__main__":
    serve(Loader)
