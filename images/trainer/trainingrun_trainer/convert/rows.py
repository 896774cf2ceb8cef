"""Rows stacked to columns, and every row checked against the first one.

Rows come one by one from user code and picture files, so this is where a row that differs from the others is
found and named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.convert.columns import Column, Columns
from trainingrun_trainer.convert.errors import ConvertError
from trainingrun_trainer.convert.images import PictureFormat, as_array, as_input
from trainingrun_trainer.data.layout import ArrayLayout, infer_list_layout, to_numpy
from trainingrun_trainer.data.nested_lists import shape_text

Where = Callable[[int], str]


def row_number(index: int) -> str:
    """Name a row by its number in the source, from 0."""
    return f"row {index}"


class RowStacker:
    """Turns rows, either mappings or (input, target) pairs, into columns of one shape and dtype each."""

    def __init__(self, input_column: str, target_column: str, pictures: PictureFormat, where: Where = row_number):
        self._input_column = input_column
        self._target_column = target_column
        self._pictures = pictures
        self._where = where
        self._layouts: dict[str, ArrayLayout] = {}
        self._names: tuple[str, ...] = ()

    def stack(self, rows: Sequence[Any], indices: Sequence[int]) -> Columns:
        """Return the rows as columns; `indices` are their numbers in the source, for messages."""
        named = [self._named(row, index) for row, index in zip(rows, indices, strict=True)]
        self._names = self._names or tuple(named[0])
        for row, index in zip(named, indices, strict=True):
            if tuple(row) != self._names and set(row) != set(self._names):
                raise ConvertError(
                    f"{self._where(index)}: found the columns {', '.join(map(str, row))}, "
                    f"expected {', '.join(self._names)} as in the rows before"
                )
        return {name: self.column(name, [row[name] for row in named], indices) for name in self._names}

    def column(self, name: str, values: Sequence[Any], indices: Sequence[int]) -> Column:
        """Return the values of one column as an array of shape (rows, ...)."""
        if name == self._input_column:
            values = [
                as_input(value, self._pictures, self._where(index))
                for value, index in zip(values, indices, strict=True)
            ]
        else:
            values = [as_array(value) for value in values]
        if isinstance(values[0], list):
            return self._lists(name, values, indices)
        if name in self._layouts or (isinstance(values[0], np.ndarray) and values[0].ndim):
            return self._arrays(name, values, indices)
        return self._scalars(name, values, indices)

    def _named(self, row: Any, index: int) -> Mapping[str, Any]:
        if isinstance(row, Mapping):
            return row
        if isinstance(row, tuple | list) and len(row) == 2:
            return {self._input_column: row[0], self._target_column: row[1]}
        raise ConvertError(
            f"{self._where(index)}: found {type(row).__name__}, "
            "allowed: a mapping of column names to values, or a pair of input and target"
        )

    def _arrays(self, name: str, values: Sequence[Any], indices: Sequence[int]) -> Column:
        layout = self._layouts.get(name) or ArrayLayout(values[0].shape, values[0].dtype)
        self._layouts[name] = layout
        result: Column = np.empty((len(values), *layout.shape), layout.dtype)
        for position, value in enumerate(values):
            if not isinstance(value, np.ndarray) or (value.shape, value.dtype) != (
                layout.shape,
                layout.dtype,
            ):
                raise self._differs(name, value, layout, indices[position])
            result[position] = value
        return result

    def _lists(self, name: str, values: Sequence[Any], indices: Sequence[int]) -> Column:
        try:
            column = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise ConvertError(f"column {name}, rows from {self._where(indices[0])}: {error}") from error
        found = self._layouts.get(name) or infer_list_layout(column, name=name)
        if found is None:
            raise ConvertError(f"column {name}: found {column.type}, allowed: lists of numbers, at most 4 deep")
        layout = self._layouts.setdefault(name, found)
        return to_numpy(column, layout, name=name, first_row=indices[0])

    def _scalars(self, name: str, values: Sequence[Any], indices: Sequence[int]) -> Column:
        plain = [value.item() if getattr(value, "shape", None) == () else value for value in values]
        kinds = {type(value) for value in plain}
        if kinds <= {int} or kinds <= {bool} or kinds <= {int, float}:
            return np.array(plain)
        for value, index in zip(plain, indices, strict=True):
            if not isinstance(value, str | bytes | bool | int | float | None):
                raise ConvertError(
                    f"column {name}, {self._where(index)}: found {type(value).__name__}, allowed: images, "
                    "arrays, tensors, lists of numbers, numbers, strings and bytes"
                )
        result = np.empty(len(plain), object)
        result[:] = plain
        return result

    def _differs(self, name: str, value: Any, layout: ArrayLayout, index: int) -> ConvertError:
        found = (
            f"{value.dtype} of shape {shape_text(value.shape) or 'one number'}"
            if isinstance(value, np.ndarray)
            else type(value).__name__
        )
        advice = "; --size H,W and --mode L or RGB make images alike" if name == self._input_column else ""
        return ConvertError(
            f"{self._where(index)}: found {found} in column {name}, expected {layout} as in the rows before{advice}"
        )
