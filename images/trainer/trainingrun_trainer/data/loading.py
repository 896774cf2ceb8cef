"""The last step to the model: a rank's share of the data as batches of tensors on its device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from trainingrun_trainer.data.collate import Collate

_CHUNK_BYTES = 4 << 20


@dataclass(frozen=True)
class Loading:
    """How a rank turns its shard into batches. `batch_rows` is one rank's share of a (micro-)batch."""

    batch_rows: int
    row_bytes: int
    prefetch_batches: int
    shuffle_buffer_rows: int
    seed: int
    device: torch.device
    collate: Collate

    def batches(self, shard: Any, *, shuffle: bool) -> Iterator[dict[str, torch.Tensor]]:
        """The batches of one pass over `shard`, on the device; the last one may be smaller."""
        # Several batches are made in one go and then cut apart, which costs nothing: what each batch costs in
        # Python would otherwise be more than what its rows cost.
        chunk = self.batch_rows * max(1, _CHUNK_BYTES // (self.batch_rows * self.row_bytes))
        buffer = max(self.shuffle_buffer_rows, self.batch_rows) if shuffle and self.shuffle_buffer_rows else None
        chunks = shard.iter_torch_batches(
            batch_size=chunk,
            prefetch_batches=self.prefetch_batches,
            collate_fn=self.collate,
            device=self.device,
            local_shuffle_buffer_size=buffer,
            local_shuffle_seed=self.seed if buffer else None,
            pin_memory=self.device.type == "cuda",
        )
        for tensors in chunks:
            rows = len(next(iter(tensors.values())))
            for first in range(0, rows, self.batch_rows):
                yield {name: tensor[first : first + self.batch_rows] for name, tensor in tensors.items()}
