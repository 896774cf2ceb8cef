"""The last step to the model: a rank's share of the data as batches of tensors on its device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from ray.data.collate_fn import ArrowBatchCollateFn

from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.transform import columns_of
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.hooks import Hook

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


class Collate(ArrowBatchCollateFn):
    """Arrow rows to tensors: arrays keep their dtype, whole numbers become int64, other numbers float32.

    Columns of text are left out, since no tensor can hold them; a `collate` hook gets the whole table instead.
    """

    def __init__(self, reference: str | None = None, parameters: dict[str, Any] | None = None):
        self._reference = reference
        self._parameters = parameters or {}

    def __call__(self, batch: pa.Table) -> dict[str, torch.Tensor]:  # type: ignore[override]
        """A dict of tensors whose first dimension is the rows; the rows' ids are under `ROW_ID`."""
        for name in batch.column_names:
            if batch.column(name).null_count and pa.types.is_primitive(batch.column(name).type):
                raise DataError(f'column "{name}" has {batch.column(name).null_count} nulls in a batch; allowed: none')
        if self._reference is None:
            return {
                name: tensor for name, values in columns_of(batch).items() if (tensor := _tensor(values)) is not None
            }
        hook = Hook("spec.recipe.collate", self._reference, "collate", self._parameters)
        ids = torch.from_numpy(batch.column(ROW_ID).to_numpy().copy())
        result = hook.call(batch.drop_columns([ROW_ID]))
        if not isinstance(result, dict):
            raise DataError(f"the collate hook returned {type(result).__name__}, expected a dict of tensors")
        return {**result, ROW_ID: ids}


def _tensor(values: np.ndarray) -> torch.Tensor | None:
    if values.dtype.kind not in "biuf":
        return None
    if values.ndim > 1:
        # A copy (a few microseconds): the view is shared memory, where an in-place operation would crash.
        return torch.from_numpy(values.copy())
    return torch.from_numpy(values.astype(np.float32 if values.dtype.kind == "f" else np.int64))
