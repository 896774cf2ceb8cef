"""The last step to the model: a rank's share of the data as batches of tensors on its device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from trainingrun_trainer.data.collate import Collate


@dataclass(frozen=True)
class Loading:
    """How a rank turns its shard into batches. `batch_rows` is one rank's share of a (micro-)batch."""

    batch_rows: int
    prefetch_batches: int
    shuffle_buffer_rows: int
    seed: int
    device: torch.device
    collate: Collate

    def batches(self, shard: Any, *, shuffle: bool) -> Iterable[dict[str, torch.Tensor]]:
        """The batches of one pass over `shard`, on the device; the last one may be smaller."""
        buffer = max(self.shuffle_buffer_rows, self.batch_rows) if shuffle and self.shuffle_buffer_rows else None
        return shard.iter_torch_batches(  # type: ignore[no-any-return]
            batch_size=self.batch_rows,
            prefetch_batches=self.prefetch_batches,
            collate_fn=self.collate,
            device=self.device,
            local_shuffle_buffer_size=buffer,
            local_shuffle_seed=self.seed if buffer else None,
            pin_memory=self.device.type == "cuda",
        )
