"""Other types for columns, as the user names them. A value that a type cannot hold is refused by its row, never cut.

Fractions may be rounded to a narrower type of fractions; that is what such a type is for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.convert.errors import ConvertError

Values = np.ndarray[Any, np.dtype[Any]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]


TYPE_WORDS = "bool, int8 to int64, uint8 to uint64, float16 to float64, string, binary, date32, timestamp, list<type>"


def number_type(name: str, kind: pa.DataType) -> np.dtype[Any]:
    """The dtype of an array column. Raises ConvertError for types that are no numbers."""
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise ConvertError(f"--type {name}={kind}: found arrays, allowed: bool, or a type of numbers")
    dtype: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
    return dtype


def cast_array(name: str, values: Values, dtype: np.dtype[Any], numbers: Numbers) -> Values:
    """Arrays of shape (rows, …) in another type; `numbers` name the rows. Raises ConvertError for the first misfit."""
    if values.dtype == dtype:
        return values
    with np.errstate(all="ignore"):
        cast = values.astype(dtype)
    fits = _fits(values, cast)
    if not fits.all():
        place = int(np.argmin(fits.reshape(len(values), -1).all(axis=1)))
        wrong = values[place][~fits[place]].reshape(-1)[0] if values.ndim > 1 else values[place]
        raise ConvertError(f"column {name}, row {numbers[place]}: found the value {wrong}, expected {dtype}")
    return cast


def cast_column(name: str, column: pa.ChunkedArray, kind: pa.DataType, numbers: Numbers) -> pa.ChunkedArray:
    """A column in another type; nulls stay. Raises ConvertError for the first row that does not fit."""
    is_rounded = pa.types.is_floating(column.type) and pa.types.is_floating(kind)
    try:
        return column.cast(kind, safe=not is_rounded)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        for place, number in enumerate(numbers.tolist()):
            try:
                column.slice(place, 1).cast(kind)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                found = column[place].as_py()
                raise ConvertError(f"column {name}, row {number}: found {found!r}, expected {kind}") from error
        raise ConvertError(f"column {name}: found {column.type}, expected {kind}: {error}") from error


def _fits(values: Values, cast: Values) -> Values:
    if values.dtype.kind in "iu" and cast.dtype.kind in "iu":
        limits = np.iinfo(cast.dtype)
        # Python's whole numbers have no bounds of their own, which NumPy's comparisons would be cast to.
        low, high = max(limits.min, np.iinfo(values.dtype).min), min(limits.max, np.iinfo(values.dtype).max)
        return (values >= low) & (values <= high)
    if values.dtype.kind == "f" and cast.dtype.kind == "f":
        return np.isfinite(cast) | ~np.isfinite(values)
    with np.errstate(all="ignore"):
        is_same: Values = cast.astype(values.dtype) == values
        return is_same
