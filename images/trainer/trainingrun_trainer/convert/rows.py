"""Rows stacked to columns, and every array checked against the first one.

Rows come one by one from user code and picture files, so this is where a row that differs from the others is
found and named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.convert.errors import ConvertError
from trainingrun_trainer.convert.images import PictureFormat, as_array, as_input
from trainingrun_trainer.data.layout import ArrayLayout, from_numpy
from trainingrun_trainer.data.nested_lists import shape_text

Where = Callable[[int], str]
Column = tuple[pa.Field, pa.Array]


def row_number(index: int) -> str:
    """Name a row by its number in the source, from 0."""
    return f"row {index}"


class RowStacker:
    """Turns rows, mappings or (input, target) pairs, into tables; the arrays of a column have one shape and dtype."""

    def __init__(self, input_column: str, target_column: str, pictures: PictureFormat, where: Where = row_number):
        self._input_column = input_column
        self._target_column = target_column
        self._pictures = pictures
        self._where = where
        self._layouts: dict[str, ArrayLayout] = {}
        self._names: tuple[str, ...] = ()

    def stack(self, rows: Sequence[Any], indices: Sequence[int]) -> pa.Table:
        """Return the rows as a table; `indices` are their numbers in the source, for messages."""
        named = [self._named(row, index) for row, index in zip(rows, indices, strict=True)]
        self._names = self._names or tuple(named[0])
        for row, index in zip(named, indices, strict=True):
            if tuple(row) != self._names and set(row) != set(self._names):
                raise ConvertError(
                    f"{self._where(index)}: found the columns {', '.join(map(str, row))}, "
                    f"expected {', '.join(self._names)} as in the rows before"
                )
        columns = [self.column(name, [row[name] for row in named], indices) for name in self._names]
        return pa.table([array for _, array in columns], schema=pa.schema([field for field, _ in columns]))

    def column(self, name: str, values: Sequence[Any], indices: Sequence[int]) -> Column:
        """Return the values of one column and its field: arrays of one shape as bytes, all else as Arrow has it."""
        if name == self._input_column:
            values = [
                as_input(value, self._pictures, self._where(index))
                for value, index in zip(values, indices, strict=True)
            ]
        else:
            values = [as_array(value, self._where(index)) for value, index in zip(values, indices, strict=True)]
        if name in self._layouts or (isinstance(values[0], np.ndarray) and values[0].ndim):
            return self._arrays(name, values, indices)
        plain = [value.item() if getattr(value, "shape", None) == () else value for value in values]
        try:
            array = pa.array(plain)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise self._mixed(name, plain, indices, error) from error
        return pa.field(name, array.type), array

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
        result = np.empty((len(values), *layout.shape), layout.dtype)
        for position, value in enumerate(values):
            if not isinstance(value, np.ndarray) or (value.shape, value.dtype) != (
                layout.shape,
                layout.dtype,
            ):
                raise self._differs(name, value, layout, indices[position])
            result[position] = value
        return from_numpy(name, result)

    def _mixed(self, name: str, values: Sequence[Any], indices: Sequence[int], error: Exception) -> ConvertError:
        """Name the first value that Arrow can make no column of, alone or together with those before it."""
        for end in range(1, len(values) + 1):
            try:
                pa.array(values[:end])
            except (pa.ArrowException, TypeError, ValueError, OverflowError) as first:
                found = type(values[end - 1]).__name__
                return ConvertError(f"column {name}, {self._where(indices[end - 1])}: found {found}: {first}")
        return ConvertError(f"column {name}, rows from {self._where(indices[0])}: {error}")

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
