"""Columns of nested lists, as `DataFrame.to_parquet` writes them, made flat arrays without a loop over rows.

Shapes are read from the lists' offsets; only an error looks at a single row. Knows nothing of files, metadata or
tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.failures.errors import LayoutError

Values = np.ndarray[Any, np.dtype[Any]]

DEEPEST = 4


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as it is written in messages: 28x28."""
    return "x".join(str(size) for size in shape)


def chunks_of(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    """Return the column's chunks that have rows."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return [chunk for chunk in chunks if len(chunk)]


def is_list(kind: pa.DataType) -> bool:
    """Tell whether the type is lists of any kind."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_list_of_numbers(kind: pa.DataType) -> bool:
    """Tell whether the type is lists, at most four deep, of booleans, integers or floats."""
    depth = 0
    while is_list(kind):
        kind, depth = kind.value_type, depth + 1
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return 0 < depth <= DEEPEST and numbers


def value_type(kind: pa.DataType) -> pa.DataType:
    """Return what the innermost lists hold; the type itself where it is no list."""
    return value_type(kind.value_type) if is_list(kind) else kind


def shape_of(chunk: pa.Array, name: str) -> tuple[int, ...]:
    """Return the shape of the chunk's first row, following the first element at every depth."""
    shape = []
    refuse_null_rows(chunk, name, 0)
    level = chunk.slice(0, 1)
    while is_list(level.type):
        level = level.flatten()
        if not len(level):
            raise LayoutError(f"column {name}, row 0: found an empty list, allowed: one value or more")
        shape.append(len(level))
        level = level.slice(0, 1)
        _refuse_null_values(level, (1,), name, 0)
    return tuple(shape)


def refuse_null_rows(chunk: pa.Array, name: str, first_row: int) -> None:
    """Raise LayoutError naming the first row that is null, if there is one."""
    _refuse_null_values(chunk, (), name, first_row)


def flatten(chunk: pa.Array, shape: tuple[int, ...], name: str, first_row: int) -> pa.Array:
    """Return the innermost values of rows that must all have this shape.

    The lists are nested as deep as the shape, or one deep with all values of a row, as Ray stores tensors.
    """
    one_deep = not is_list(chunk.type.value_type)
    sizes = (math.prod(shape),) if one_deep else shape
    level = chunk
    for depth, size in enumerate(sizes):
        if not is_list(level.type):
            break
        wrong = _first_of_other_length(level, size)
        if wrong is not None:
            raise _wrong_shape(chunk, wrong // math.prod(sizes[:depth]), shape, name, first_row)
        level = level.flatten()
        _refuse_null_values(level, sizes[: depth + 1], name, first_row)
    if len(level) != len(chunk) * math.prod(shape) or is_list(level.type):
        raise _wrong_shape(chunk, 0, shape, name, first_row)
    return level


def cast(values: pa.Array, shape: tuple[int, ...], dtype: np.dtype[Any], name: str, first_row: int) -> Values:
    """Return flat values in this dtype: a view where they have it already, else a copy that lost nothing."""
    _refuse_null_values(values, shape, name, first_row)
    source = _as_numpy(values)
    if source.dtype == dtype:
        return source
    if not np.can_cast(source.dtype, dtype, "safe"):
        raise LayoutError(f"column {name}: found values of type {source.dtype}, expected {dtype}")
    return source.astype(dtype)


def _as_numpy(values: pa.Array) -> Values:
    # Booleans are bits in Arrow and bytes in NumPy; everything else is shared.
    converted: Values = values.to_numpy(zero_copy_only=False)
    return converted


def _first_of_other_length(level: pa.Array, size: int) -> int | None:
    if pa.types.is_fixed_size_list(level.type):
        return None if level.type.list_size == size else 0
    offsets = level.offsets.to_numpy()
    different = offsets[1:] - offsets[:-1] != size
    return int(np.argmax(different)) if different.any() else None


def _refuse_null_values(level: pa.Array, shape: tuple[int, ...], name: str, first_row: int) -> None:
    if level.null_count:
        position = int(np.argmax(level.is_null().to_numpy(zero_copy_only=False)))
        row = first_row + position // math.prod(shape)
        raise LayoutError(f"column {name}, row {row}: found null, expected a value in every place")


def _wrong_shape(chunk: pa.Array, position: int, shape: tuple[int, ...], name: str, first_row: int) -> LayoutError:
    found = _lengths(chunk.slice(position, 1))
    return LayoutError(
        f"column {name}, row {first_row + position}: found the shape {found}, expected {shape_text(shape)}"
    )


def _lengths(level: pa.Array) -> str:
    """Describe one row: the length at every depth, or the shortest and the longest where they differ."""
    texts = []
    while is_list(level.type):
        lengths = level.value_lengths().drop_null().to_numpy()
        if not len(lengths):
            break
        low, high = lengths.min(), lengths.max()
        texts.append(str(low) if low == high else f"{low}..{high}")
        level = level.flatten()
    return "x".join(texts)
