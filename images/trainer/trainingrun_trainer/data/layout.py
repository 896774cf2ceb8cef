"""How arrays lie in Parquet and Arrow: one fast layout to write, every common one to read.

The written layout is `fixed_size_binary` with the shape in the metadata: a row is its bytes, so Parquet
decodes it by copying, and NumPy sees the column without touching it. Lists of lists need 8 bytes for every
pixel and 60 times longer. Neither Ray nor torch is imported here: workers of both groups, the converter and
notebooks share this module.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data import nested_lists
from trainingrun_trainer.failures.errors import LayoutError

__all__ = [
    "ArrayLayout",
    "from_numpy",
    "infer_list_layout",
    "layouts_of",
    "schema_of",
    "to_numpy",
]

SHAPE_KEY = b"trainingrun.shape"
DTYPE_KEY = b"trainingrun.dtype"
RAY_TENSORS = frozenset({"ray.data.arrow_tensor", "ray.data.arrow_tensor_v2"})
# Booleans, integers, floats and complex numbers: the kinds whose bytes alone say their value.
NUMBER_KINDS = "biufc"


@dataclass(frozen=True)
class ArrayLayout:
    """The shape (without the row dimension) and dtype of the arrays of one column."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __post_init__(self) -> None:
        if self.dtype.kind not in NUMBER_KINDS:
            raise LayoutError(f"dtype {self.dtype}: arrays hold booleans or numbers only")
        if not self.shape or min(self.shape) < 1:
            raise LayoutError(f"shape {self.shape}: found no dimension or an empty one, allowed: 1 or more each")

    @property
    def row_bytes(self) -> int:
        """Bytes of one row's array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype.name} of shape {nested_lists.shape_text(self.shape)}"


def layouts_of(schema: pa.Schema) -> dict[str, ArrayLayout]:
    """Return the layout of every column whose schema says that it holds arrays.

    Known are this project's field metadata, schema metadata (`image.shape`, `image.dtype`), Arrow's
    `fixed_shape_tensor` and Ray Data's tensors, the latter with and without Ray imported. Plain lists carry
    no shape: see `infer_list_layout`. Raises LayoutError when metadata and column type contradict each other.
    """
    found = {field.name: _layout_of(field, schema.metadata or {}) for field in schema}
    return {name: layout for name, layout in found.items() if layout is not None}


def infer_list_layout(column: pa.Array | pa.ChunkedArray, *, name: str = "of arrays") -> ArrayLayout | None:
    """Return the layout of a column of (nested) lists of numbers by looking at its rows; the type is the lists' own.

    None for other columns and for a column without rows. Raises LayoutError for nulls and for rows whose shapes
    differ.
    """
    chunks = nested_lists.chunks_of(column)
    if not nested_lists.is_list_of_numbers(column.type) or not chunks:
        return None
    shape = nested_lists.shape_of(chunks[0], name)
    first_row = 0
    for chunk in chunks:
        values = nested_lists.flatten(chunk, shape, name, first_row)
        first_row += len(chunk)
    return ArrayLayout(shape, _dtype_of(values.type))


def to_numpy(
    column: pa.Array | pa.ChunkedArray, layout: ArrayLayout, *, name: str = "of arrays", first_row: int = 0
) -> np.ndarray[Any, np.dtype[Any]]:
    """Return the column as an array of shape (rows, *layout.shape).

    A single chunk of `fixed_size_binary` or of tensors in the right dtype is a read-only view, everything
    else a copy. Raises LayoutError naming the row (`first_row` is the number of the column's first one) when
    a row is null, has another shape, or a value that the dtype cannot hold: nothing ever wraps around.
    """
    chunks = nested_lists.chunks_of(column)
    if len(chunks) == 1:
        return _chunk_to_numpy(chunks[0], layout, name, first_row)
    result = np.empty((len(column), *layout.shape), layout.dtype)
    start = 0
    for chunk in chunks:
        end = start + len(chunk)
        result[start:end] = _chunk_to_numpy(chunk, layout, name, first_row + start)
        start = end
    return result


def from_numpy(name: str, array: np.ndarray[Any, np.dtype[Any]]) -> tuple[pa.Field, pa.Array]:
    """Return (rows, *shape) as a `fixed_size_binary` column that shares the array's memory, and its field.

    An array of one dimension becomes an ordinary column. Copies only what is not contiguous or not in this
    machine's byte order. Raises LayoutError for dtypes that are not numbers, and for empty shapes.
    """
    if array.ndim == 1:
        column = pa.array(array)
        return pa.field(name, column.type), column
    layout = ArrayLayout(array.shape[1:], array.dtype.newbyteorder("="))
    packed = np.ascontiguousarray(array, dtype=layout.dtype)
    data = pa.py_buffer(packed.reshape(-1).view(np.uint8))
    column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(layout.row_bytes), len(array), [None, data])
    metadata = {SHAPE_KEY: _comma_separated(layout.shape), DTYPE_KEY: layout.dtype.name}
    return pa.field(name, column.type, metadata=metadata), column


def schema_of(fields: Iterable[pa.Field], metadata: Mapping[str, str] | None = None) -> pa.Schema:
    """Return the schema of a file: the fields, and every array's shape and dtype once more at its top.

    Readers that drop field metadata, and people who print the schema, find `image.shape` and `image.dtype`.
    """
    schema = pa.schema(list(fields))
    texts = dict(metadata or {})
    for name, layout in layouts_of(schema).items():
        texts[f"{name}.shape"] = _comma_separated(layout.shape)
        texts[f"{name}.dtype"] = layout.dtype.name
    return schema.with_metadata(texts)


def _layout_of(field: pa.Field, schema_metadata: Mapping[bytes, bytes]) -> ArrayLayout | None:
    own = field.metadata or {}
    if isinstance(field.type, pa.FixedShapeTensorType):
        return _tensor_layout(field.type)
    if getattr(field.type, "extension_name", None) in RAY_TENSORS:
        return ArrayLayout(tuple(field.type.shape), _dtype_of(field.type.storage_type.value_type))
    if own.get(b"ARROW:extension:name", b"").decode() in RAY_TENSORS:
        return ArrayLayout(_ray_shape(field), _dtype_of(field.type.value_type))
    shape = own.get(SHAPE_KEY, schema_metadata.get(f"{field.name}.shape".encode()))
    dtype = own.get(DTYPE_KEY, schema_metadata.get(f"{field.name}.dtype".encode()))
    if shape is None or dtype is None:
        return None
    return _declared_layout(field, shape.decode(), dtype.decode())


def _declared_layout(field: pa.Field, shape: str, dtype: str) -> ArrayLayout:
    try:
        layout = ArrayLayout(tuple(int(size) for size in shape.split(",")), np.dtype(dtype))
    except (ValueError, TypeError) as error:
        raise LayoutError(
            f"column {field.name}: its metadata says shape {shape!r} and dtype {dtype!r}, "
            "allowed: sizes separated by commas, and the name of a NumPy number type"
        ) from error
    if pa.types.is_fixed_size_binary(field.type) and field.type.byte_width != layout.row_bytes:
        raise LayoutError(
            f"column {field.name}: its metadata says {layout}, which is {layout.row_bytes} bytes a row, "
            f"found {field.type.byte_width} bytes a row"
        )
    if not (pa.types.is_fixed_size_binary(field.type) or nested_lists.is_list_of_numbers(field.type)):
        raise LayoutError(
            f"column {field.name}: its metadata says {layout}, found {field.type}, "
            "allowed: fixed_size_binary or lists of numbers"
        )
    return layout


def _tensor_layout(tensor: pa.FixedShapeTensorType) -> ArrayLayout:
    shape = tuple(tensor.shape)
    return ArrayLayout(tuple(shape[axis] for axis in _axes(tensor)), _dtype_of(tensor.value_type))


def _axes(tensor: pa.FixedShapeTensorType) -> tuple[int, ...]:
    return tuple(tensor.permutation or range(len(tensor.shape)))


def _ray_shape(field: pa.Field) -> tuple[int, ...]:
    try:
        return tuple(json.loads(field.metadata[b"ARROW:extension:metadata"]))
    except ValueError as error:
        # Ray 2.49 to 2.54 pickled the shape; unpickling runs whatever code a file brings.
        raise LayoutError(
            f"column {field.name}: its tensor shape is pickled, which is not safe to read; "
            "write the data again with Ray 2.55 or newer, or with `trainingrun convert`"
        ) from error


def _dtype_of(value_type: pa.DataType) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(value_type.to_pandas_dtype())
    return dtype


def _comma_separated(shape: tuple[int, ...]) -> str:
    return ",".join(str(size) for size in shape)


def _chunk_to_numpy(chunk: pa.Array, layout: ArrayLayout, name: str, first_row: int) -> np.ndarray[Any, np.dtype[Any]]:
    nested_lists.refuse_null_rows(chunk, name, first_row)
    rows = (len(chunk), *layout.shape)
    if pa.types.is_fixed_size_binary(chunk.type):
        return _view_of_bytes(chunk, layout, name).reshape(rows)
    if isinstance(chunk.type, pa.FixedShapeTensorType):
        values = nested_lists.cast(chunk.storage.flatten(), layout.shape, layout.dtype, name, first_row)
        stored = values.reshape(len(chunk), *chunk.type.shape)
        return stored.transpose(0, *(axis + 1 for axis in _axes(chunk.type))).reshape(rows)
    lists = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
    if not nested_lists.is_list_of_numbers(lists.type):
        raise LayoutError(f"column {name}: found {chunk.type}, which cannot be read as {layout}")
    values = nested_lists.flatten(lists, layout.shape, name, first_row)
    return nested_lists.cast(values, layout.shape, layout.dtype, name, first_row).reshape(rows)


def _view_of_bytes(chunk: pa.Array, layout: ArrayLayout, name: str) -> np.ndarray[Any, np.dtype[Any]]:
    width = chunk.type.byte_width
    if width != layout.row_bytes:
        raise LayoutError(f"column {name}: found {width} bytes a row, expected {layout.row_bytes} for {layout}")
    if not len(chunk):
        return np.empty(0, layout.dtype)
    count = len(chunk) * math.prod(layout.shape)
    return np.frombuffer(chunk.buffers()[1], layout.dtype, count, offset=chunk.offset * width)
