"""The last step to the model: rows in Arrow become a batch of tensors, by the rules of docs/data.md or by the author.

Must not look at values to choose a type: the same column gets the same type in every batch of every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from trainingrun_trainer.data import nested_lists
from trainingrun_trainer.data.layout import NUMBER_KINDS, ArrayLayout, layouts_of, to_numpy
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration, LayoutError
from trainingrun_trainer.hooks import Hook

# Unsigned types that torch cannot compute with, and the signed ones that hold their values.
_WIDER = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64}


class Collate:
    """Rows to a dict of tensors. `required` are the columns that must become tensors: inputs and targets.

    Without a hook the first dimension of each tensor is the rows, and other columns that no tensor can hold, such as
    text, are left out. A hook gets the rows as they are stored: arrays as lists, and whatever else there is.
    """

    def __init__(self, hook: Hook | None = None, required: tuple[str, ...] = ()):
        self._hook = hook
        self._required = required

    @property
    def is_by_row(self) -> bool:
        """Whether a part of the rows makes that part of the tensors; a hook may pad, pack or count."""
        return self._hook is None

    def __call__(self, table: pa.Table) -> dict[str, Any]:
        """The batch of these rows. Raises DataError, InvalidConfiguration, or what the hook raises."""
        if self._hook is None:
            return self._tensors(table)
        result = self._hook.call(as_lists(table))
        # What tokenizers return is a mapping but no dict.
        if not isinstance(result, Mapping):
            raise DataError(f"the collate hook returned {type(result).__name__}, expected a dict of tensors")
        return dict(result)

    def _tensors(self, table: pa.Table) -> dict[str, Any]:
        layouts = layouts_of(table.schema)
        tensors: dict[str, Any] = {}
        for name in table.column_names:
            try:
                tensors[name] = tensor_of(table.column(name), layouts.get(name), name)
            except (LayoutError, InvalidConfiguration) as error:
                if name in self._required:
                    raise error if isinstance(error, InvalidConfiguration) else DataError(str(error)) from None
        return tensors


def tensor_of(column: pa.ChunkedArray, layout: ArrayLayout | None, name: str) -> torch.Tensor:
    """The column as a tensor whose first dimension is the rows, in memory of its own.

    Raises LayoutError where these rows have nulls, different shapes, or values beyond int64, and InvalidConfiguration
    where no rows of this type could be a tensor.
    """
    if layout is None and pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if layout is None and nested_lists.is_list_of_numbers(column.type):
        layout = _infer_list_layout(column, name)
    if layout is not None:
        return _array(name, to_numpy(column, layout, name=name))
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
        raise InvalidConfiguration(
            f'spec.recipe.dataset: column "{name}" is {column.type}; allowed as input or target: numbers, booleans, '
            "and arrays of them. Turn it into numbers with spec.recipe.transform or spec.recipe.collate"
        )
    if column.null_count:
        raise LayoutError(f'column "{name}" has {column.null_count} nulls in {len(column)} rows; allowed: none')
    values = column.to_numpy()
    if values.dtype.kind == "f":
        return torch.from_numpy(values.astype(np.float32))
    return torch.from_numpy(_as_signed(name, values).astype(np.int64))


def as_lists(table: pa.Table) -> pa.Table:
    """The table with arrays that are stored as bytes in the form of lists, nested as deep as their shape."""
    for name, layout in layouts_of(table.schema).items():
        place = table.schema.get_field_index(name)
        if not pa.types.is_fixed_size_binary(table.schema.field(place).type) or layout.dtype.kind == "c":
            continue  # lists and Arrow's tensors are what they are, and Arrow has no complex numbers
        lists: pa.Array = pa.array(to_numpy(table.column(name), layout, name=name).reshape(-1))
        for size in reversed(layout.shape):
            lists = pa.FixedSizeListArray.from_arrays(lists, size)
        table = table.set_column(place, name, lists)
    return table


def _infer_list_layout(column: pa.ChunkedArray, name: str) -> ArrayLayout:
    kind = column.type
    while hasattr(kind, "value_type"):
        kind = kind.value_type
    shape = nested_lists.shape_of(nested_lists.chunks_of(column)[0], name)
    return ArrayLayout(shape, np.dtype(kind.to_pandas_dtype()))


def _array(name: str, values: np.ndarray) -> torch.Tensor:
    if values.dtype == np.float64:
        return torch.from_numpy(values.astype(np.float32))
    # A copy (a few microseconds): the view is shared memory, where an in-place operation would crash.
    return torch.from_numpy(np.array(_as_signed(name, values)))


def _as_signed(name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in NUMBER_KINDS:
        raise LayoutError(f'column "{name}" holds {values.dtype}; allowed: numbers and booleans')
    wider = _WIDER.get(values.dtype.name)
    if wider is None:
        return values
    if values.dtype == np.uint64 and values.size and values.max() > np.iinfo(np.int64).max:
        raise LayoutError(f'column "{name}" holds {values.max()}; allowed: at most {np.iinfo(np.int64).max}')
    return values.astype(wider)
