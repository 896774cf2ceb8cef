"""What the author's functions see of a column, and how what they return becomes a column again.

The type of a column must follow from what the author's code returns and never from the rows that happened to be in one
call: blocks of different types cannot be put together. No I/O, no Ray, no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainingrun_trainer.data.layout import from_numpy, infer_list_layout, to_numpy
from trainingrun_trainer.data.nested_lists import DEEPEST, is_list_of_numbers
from trainingrun_trainer.data.nulls import as_numpy, has_nulls
from trainingrun_trainer.failures.errors import DataError, LayoutError

Values = np.ndarray[Any, np.dtype[Any]]
# On the field of a list column that was made from arrays, one a row, and not from lists.
_OF_ARRAYS = {b"trainingrun.arrays": b"yes"}


def stored(column: pa.ChunkedArray, field: pa.Field) -> Values:
    """Each row's value as it is stored, as an array of shape (rows,) with memory of its own.

    Numbers keep their type but for whole numbers of a column that is known to have nulls: see `nulls`. A null is NaN
    among fractions and None elsewhere. Lists of numbers are one array a row, or lists where a row has nulls or lengths
    that differ; all else is Python's own.
    """
    kind = column.type
    if has_nulls(field):
        return as_numpy(field, column)
    is_number = pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    if (is_number and (pa.types.is_floating(kind) or not column.null_count)) or pa.types.is_temporal(kind):
        return np.array(column.to_numpy())
    return _objects(_rows_of_lists(column) if is_list_of_numbers(kind) else column.to_pylist())


def stacked(column: pa.ChunkedArray, name: str) -> Values | None:
    """A column of lists as an array of shape (rows, …), or None where rows differ in shape or have nulls."""
    if not is_list_of_numbers(column.type):
        return None
    try:
        layout = infer_list_layout(column, name=name)
        return None if layout is None else to_numpy(column, layout, name=name)
    except LayoutError:
        return None


def is_of_arrays(field: pa.Field) -> bool:
    """Whether a step has made this list column from arrays: the next one gets an array where their shapes allow it."""
    return (field.metadata or {}).items() >= _OF_ARRAYS.items()


def column_of(name: str, values: Any, original: pa.ChunkedArray | None = None) -> tuple[pa.Field, pa.Array]:
    """A column and its field from what a Batch transform returned: an array, a tensor, or one value for each row.

    An array of several dimensions is stored as such; lists and arrays of one row each become lists, of any length.
    `original` is the column that the function was given, where it returned the very same object. Raises DataError.
    """
    if original is not None:
        return _restored(name, values, original)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return pa.field(name, values.type), values
    if isinstance(values, list | tuple):
        return rows_column(name, values)
    array = as_array(values)
    if array.ndim == 0:
        raise DataError(f'the transform returned "{name}" as one value, expected one for every row')
    if array.dtype.hasobject or (array.ndim > 1 and array.dtype.kind not in "biufc"):
        return rows_column(name, list(array))
    try:
        return from_numpy(name, array)
    except LayoutError as error:
        raise DataError(f'the transform returned "{name}": {error}') from error


def rows_column(name: str, values: Sequence[Any], original: pa.ChunkedArray | None = None) -> tuple[pa.Field, pa.Array]:
    """A column and its field from one value for each row. Arrays become lists, whose rows may differ in length."""
    if original is not None:
        return _restored(name, values, original)
    plain = [_value(value) for value in values]
    arrays = [value for value in plain if isinstance(value, np.ndarray)]
    if arrays and all(value is None or isinstance(value, np.ndarray) for value in plain):
        return _of_arrays(name, plain, arrays)
    try:
        column = pa.array(_dates(plain))
    except (pa.ArrowException, TypeError, ValueError):
        column = _converted(name, [_plain(value) for value in plain])
    return pa.field(name, column.type), column


def as_array(value: Any) -> Values:
    """A tensor, an array, or anything that NumPy makes one of."""
    array: Values = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    return array


def list_column(arrays: Sequence[Values | None], dimensions: int) -> pa.Array:
    """Arrays of `dimensions` dimensions as nested lists, one row each; None is a null row."""
    empty = np.empty((0,) * dimensions)
    whole = [array for array in arrays if array is not None] or [empty]
    shapes = np.array([empty.shape if array is None else array.shape for array in arrays]).reshape(-1, dimensions)
    level = pa.array(np.concatenate([array.reshape(-1) for array in whole]))
    for depth in reversed(range(dimensions)):
        lengths = np.repeat(shapes[:, depth], shapes[:, :depth].prod(axis=1))
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        nulls = [array is None for array in arrays] if depth == 0 and len(whole) < len(arrays) else None
        level = pa.ListArray.from_arrays(offsets, level, mask=None if nulls is None else pa.array(nulls))
    return level


def _of_arrays(name: str, values: list[Any], arrays: list[Values]) -> tuple[pa.Field, pa.Array]:
    dimensions = {array.ndim for array in arrays}
    if len(dimensions) > 1:
        place = next(place for place, value in enumerate(values) if value is not None and value.ndim != arrays[0].ndim)
        raise DataError(
            f'the transform returned "{name}" of shape {values[place].shape} for row {place} of a call, others have '
            f"{arrays[0].shape}; all rows must have the same number of dimensions"
        )
    if any(array.dtype.hasobject for array in arrays) or arrays[0].ndim > DEEPEST:
        column = _converted(name, [_plain(value) for value in values])
    else:
        column = list_column(values, arrays[0].ndim)
    return pa.field(name, column.type, metadata=_OF_ARRAYS), column


def _restored(name: str, values: Any, original: pa.ChunkedArray) -> tuple[pa.Field, pa.Array]:
    """The column of values that were handed through, in the type that they came in where they still fit it."""
    kind = original.type
    values = as_array(values) if hasattr(values, "detach") else values
    if pa.types.is_floating(kind) and original.null_count:
        array = np.asarray(values)
        # A null that was handed out as NaN is a null again.
        return pa.field(name, kind), pa.array(array, kind, mask=original.is_null().to_numpy() & np.isnan(array))
    if pa.types.is_integer(kind) and np.asarray(values).dtype.kind == "f":
        # Whole numbers that were handed out as fractions, for their nulls, and may have lost digits on the way.
        is_same = np.array_equal(np.asarray(values), original.to_numpy().astype(np.float64), equal_nan=True)
        return (pa.field(name, kind), original) if is_same else rows_column(name, list(values))
    try:
        if is_list_of_numbers(kind):
            column = rows_column(name, values)[1].cast(kind)
        else:
            column = pa.array(_dates(values), kind)
    except (pa.ArrowException, TypeError, ValueError):
        return rows_column(name, list(values))
    return pa.field(name, kind), column


def _rows_of_lists(column: pa.ChunkedArray) -> list[Any]:
    rows: list[Any] = []
    for chunk in column.chunks:
        values = chunk.flatten()
        if pa.types.is_nested(values.type) or values.null_count:
            rows += [_one_row(row) for row in chunk]
            continue
        # A copy, in which every row is a view that its reader may write to.
        flat = np.array(values.to_numpy(zero_copy_only=False))
        lengths = pc.list_value_length(chunk).fill_null(0).to_numpy()
        parts = np.split(flat, np.cumsum(lengths)[:-1]) if len(chunk) else []
        nulls = chunk.is_null().to_numpy(zero_copy_only=False)
        rows += [None if null else part for null, part in zip(nulls, parts, strict=True)]
    return rows


def _one_row(row: pa.Scalar) -> Any:
    if not row.is_valid:
        return None
    kind, depth = row.type, 0
    while pa.types.is_nested(kind):
        kind, depth = kind.value_type, depth + 1
    if not len(row.values):
        return np.empty((0,) * depth, kind.to_pandas_dtype())
    array = stacked(pa.chunked_array([row.values]), "") if depth > 1 else None
    return row.as_py() if array is None else np.array(array)


def _value(value: Any) -> Any:
    """Tensors, pictures and the like as arrays; arrays without dimensions as what they hold."""
    if isinstance(value, int | float | str | bytes | np.generic):
        return value
    if hasattr(value, "detach") or hasattr(value, "__array_interface__"):
        array = as_array(value)
        return array if array.ndim else array[()]
    return value


def _dates(values: Any) -> Any:
    # Arrow takes NumPy's dates from an array only.
    is_dates = len(values) and isinstance(values[0], np.datetime64 | np.timedelta64)
    return np.array(values) if is_dates else values


def _plain(value: Any) -> Any:
    value = _value(value)
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value] if value.dtype.hasobject else value.tolist()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _converted(name: str, values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise DataError(f'the transform returned "{name}" with values that make no column: {error}') from error


def _objects(values: Sequence[Any]) -> Values:
    # Filled one by one: NumPy would make lists of one length a second dimension.
    array = np.empty(len(values), object)
    for place, value in enumerate(values):
        array[place] = value
    return array
