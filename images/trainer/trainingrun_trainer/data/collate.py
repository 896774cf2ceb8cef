"""Turns a block of rows into the tensors of one batch, on the trainer.

Runs in Ray Data's prefetching threads beside training, so it must hold no lock and touch no model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from ray.data.collate_fn import ArrowBatchCollateFn

from trainingrun_trainer import hooks
from trainingrun_trainer.data.order import ROW_ID
from trainingrun_trainer.data.transform import columns_of
from trainingrun_trainer.errors import DataError


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
        function = hooks.load("spec.recipe.collate.function", self._reference, "collate")
        ids = torch.from_numpy(batch.column(ROW_ID).to_numpy().copy())
        result = function(batch.drop_columns([ROW_ID]), **self._parameters)
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
