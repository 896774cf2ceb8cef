"""Applies the author's transform to a block: row by row, or the whole block at once.

Runs in data tasks. Must keep each row's id beside it, so that a run can tell which rows it has trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer import hooks
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.layout import NUMBER_KINDS, from_numpy, layouts_of, to_numpy
from trainingrun_trainer.data.nulls import as_numpy
from trainingrun_trainer.failures.errors import DataError, UserCodeError
from trainingrun_trainer.failures.tracebacks import user_traceback


@dataclass(frozen=True)
class Transform:
    """A transform as the run names it; the function itself is found in the process that applies it."""

    function: str
    kind: str  # Row or Batch
    batch_format: str = "NumPy"  # NumPy, Arrow or Torch
    training: bool = True
    parameters: dict[str, Any] = field(default_factory=dict)
    name: str = "spec.recipe.transform"

    def load(self) -> Callable[..., Any]:
        """The function. Raises InvalidConfiguration."""
        function = hooks.load(f"{self.name}.function", self.function, f"transform ({self.kind})")
        hooks.check_parameters(f"{self.name}.parameters", function, 1, self.keywords(function))
        return function

    def keywords(self, function: Callable[..., Any]) -> dict[str, Any]:
        """The parameters, and `training` for a function that wants to know (to augment only then)."""
        told = {"training": self.training} if hooks.accepts(function, "training") else {}
        return {**self.parameters, **told}

    def __call__(self, table: pa.Table) -> pa.Table:
        """The transformed block. Raises UserCodeError with the author's traceback, or DataError."""
        function = self.load()
        keywords = self.keywords(function)
        ids = table.column(ROW_ID) if ROW_ID in table.column_names else None
        rows = table.drop_columns([ROW_ID]) if ids is not None else table
        try:
            if self.kind == "Row":
                result = _by_row(function, keywords, rows)
            else:
                result = _by_batch(function, keywords, rows, self.batch_format)
        except (DataError, UserCodeError):
            raise
        except Exception as error:  # whatever the author's code raises is theirs to read
            raise UserCodeError(user_traceback(error)) from None
        return result if ids is None else result.append_column(ROW_ID, _spread(ids, result.num_rows))


def columns_of(table: pa.Table) -> dict[str, np.ndarray]:
    """Each column as an array of shape (rows, …); array columns are read-only views without a copy."""
    layouts = layouts_of(table.schema)
    return {
        name: to_numpy(table.column(name), layouts[name], name=name)
        if name in layouts
        else as_numpy(table.schema.field(name), table.column(name))
        for name in table.column_names
    }


def table_of(columns: dict[str, Any]) -> pa.Table:
    """The inverse of `columns_of`; tensors, arrays and lists of them are accepted."""
    fields: list[pa.Field] = []
    arrays: list[pa.Array] = []
    for name, column in columns.items():
        values = _as_array(column)
        if values.ndim == 0:
            raise DataError(f'the transform returned "{name}" as one value, expected one for every row')
        if values.ndim > 1:
            field_, array = from_numpy(name, values)
        else:
            array = pa.array(values)
            field_ = pa.field(name, array.type)
        fields.append(field_)
        arrays.append(array)
    if len({len(array) for array in arrays}) > 1:
        lengths = ", ".join(f"{f.name} {len(a)}" for f, a in zip(fields, arrays, strict=True))
        raise DataError(f"the transform returned columns of different lengths: {lengths}")
    return pa.table(arrays, schema=pa.schema(fields))


def _by_row(function: Callable[..., Any], keywords: dict[str, Any], table: pa.Table) -> pa.Table:
    columns = columns_of(table)
    results: list[dict[str, Any]] = []
    for place in range(table.num_rows):
        # A copy, so that a function that works in place does not write into shared memory.
        row = {name: np.array(values[place]) if values.ndim > 1 else values[place] for name, values in columns.items()}
        result = function(row, **keywords)
        if not isinstance(result, dict):
            raise DataError(f"the Row transform returned {type(result).__name__}, expected the row as a dict")
        results.append(result)
    if not results:
        return table
    for place, result in enumerate(results):
        if result.keys() != results[0].keys():
            raise DataError(
                f"the Row transform returned the columns {', '.join(result)} for row {place} of a block, "
                f"others have {', '.join(results[0])}; all rows must have the same columns"
            )
    return table_of({name: _stacked(name, [row[name] for row in results]) for name in results[0]})


def _by_batch(function: Callable[..., Any], keywords: dict[str, Any], table: pa.Table, batch_format: str) -> pa.Table:
    if batch_format == "Arrow":
        result = function(table, **keywords)
    else:
        # Copies, so that a function that works in place does not write into shared memory.
        batch: dict[str, Any] = {name: np.array(values) for name, values in columns_of(table).items()}
        if batch_format == "Torch":
            import torch

            # What no tensor can hold, such as text, stays an array.
            batch = {name: torch.as_tensor(v) if v.dtype.kind in NUMBER_KINDS else v for name, v in batch.items()}
        result = function(batch, **keywords)
    if isinstance(result, pa.Table):
        return result
    if isinstance(result, dict):
        return table_of(result)
    raise DataError(
        f"the Batch transform returned {type(result).__name__}, expected a dict of arrays or tensors or a pyarrow.Table"
    )


def _stacked(name: str, values: list[Any]) -> np.ndarray:
    arrays = [_as_array(value) for value in values]
    for place, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise DataError(
                f'the Row transform returned "{name}" of shape {array.shape} for row {place} of a block, '
                f"others have {arrays[0].shape}; all rows of a batch must have one shape"
            )
    return np.stack(arrays)


def _as_array(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def _spread(ids: pa.ChunkedArray, rows: int) -> pa.Array | pa.ChunkedArray:
    """The ids for a result of `rows` rows. A transform that drops or adds rows makes resuming approximate."""
    if rows == len(ids):
        return ids
    return pa.array(ids.to_numpy()[np.linspace(0, len(ids) - 1, rows).astype(np.int64)])
