"""Arrays survive Parquet bit by bit in every layout, and what does not fit is named instead of wrapped."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainingrun_trainer.data.layout import (
    ArrayLayout,
    from_numpy,
    infer_list_layout,
    layouts_of,
    schema_of,
    to_numpy,
)

UINT8 = np.dtype("uint8")
DTYPES = st.sampled_from(
    [np.dtype(name) for name in ("bool", "uint8", "int8", "uint16", "int32", "int64", "float16", "float32", ">f8")]
)
SHAPES = arrays.array_shapes(min_dims=2, max_dims=5, min_side=1, max_side=5)


@st.composite
def batches(draw: st.DrawFn, dtypes: st.SearchStrategy[np.dtype] = DTYPES) -> np.ndarray:
    return draw(arrays.arrays(draw(dtypes), draw(SHAPES), elements=None))


def nested(array: np.ndarray, kind: pa.DataType) -> pa.Array:
    return pa.array(array.tolist(), kind)


def list_type(value: pa.DataType, shape: tuple[int, ...], form: str) -> pa.DataType:
    for size in reversed(shape):
        value = {"list": pa.list_(value), "large": pa.large_list(value), "fixed": pa.list_(value, size)}[form]
    return value


def cut(column: pa.Array, places: list[int]) -> pa.ChunkedArray:
    edges = [0, *sorted(place % (len(column) + 1) for place in places), len(column)]
    parts = [column.slice(start, end - start) for start, end in itertools.pairwise(edges)]
    return pa.chunked_array(parts, type=column.type)


@given(batches(), st.lists(st.integers(0, 100), max_size=4))
def test_fixed_size_bytes_give_the_same_bits_back_however_they_are_cut(array: np.ndarray, places: list[int]) -> None:
    field, column = from_numpy("image", array)
    layout = layouts_of(pa.schema([field]))["image"]
    read = to_numpy(cut(column, places), layout)
    assert read.shape == array.shape
    assert read.dtype == array.dtype.newbyteorder("=")
    assert read.tobytes() == array.astype(read.dtype).tobytes()


@given(batches(), st.data())
def test_a_slice_of_fixed_size_bytes_is_the_slice_of_the_array(array: np.ndarray, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(array)))
    length = data.draw(st.integers(0, len(array) - start))
    field, column = from_numpy("image", array)
    read = to_numpy(column.slice(start, length), layouts_of(pa.schema([field]))["image"])
    expected = array[start : start + length].astype(read.dtype)
    assert read.shape == expected.shape
    assert read.tobytes() == expected.tobytes()


@settings(deadline=None)
@given(
    batches(st.sampled_from([np.dtype("uint8"), np.dtype("int16"), np.dtype("int64"), np.dtype("float64")])),
    st.sampled_from(["list", "large", "fixed"]),
    st.lists(st.integers(0, 100), max_size=3),
)
def test_nested_lists_are_inferred_and_read_bit_by_bit(array: np.ndarray, form: str, places: list[int]) -> None:
    column = nested(array, list_type(pa.from_numpy_dtype(array.dtype), array.shape[1:], form))
    chunked = cut(column, places)
    layout = infer_list_layout(chunked)
    assert layout is not None
    assert layout.shape == array.shape[1:]
    read = to_numpy(chunked, layout)
    assert (read.dtype, read.tobytes()) == (array.dtype, array.tobytes())
    start = len(array) // 2
    assert (to_numpy(column.slice(start), layout) == read[start:]).all() or array.dtype.kind == "f"


@pytest.mark.parametrize("permutation", list(itertools.permutations(range(3))))
def test_arrow_tensors_are_read_in_their_logical_order(permutation: tuple[int, ...]) -> None:
    stored = np.arange(3 * 2 * 3 * 4, dtype=np.int32).reshape(3, 2, 3, 4)
    kind = pa.fixed_shape_tensor(pa.int32(), (2, 3, 4), permutation=permutation)
    storage = pa.FixedSizeListArray.from_arrays(pa.array(stored.reshape(-1)), 24)
    column = pa.ExtensionArray.from_storage(kind, storage)
    layout = layouts_of(pa.schema([pa.field("image", kind)]))["image"]
    read = to_numpy(column.slice(1), layout)
    for place in np.ndindex(read.shape[1:]):
        # Arrow's definition: the logical dimension i is the stored dimension permutation[i].
        stored_place = tuple(place[permutation.index(axis)] for axis in range(3))
        assert (read[(slice(None), *place)] == stored[(slice(1, None), *stored_place)]).all()


@given(batches(st.sampled_from([np.dtype("uint8"), np.dtype("float32")])), st.lists(st.integers(0, 100)))
def test_arrow_tensors_are_read_bit_by_bit(array: np.ndarray, places: list[int]) -> None:
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(array)
    layout = layouts_of(pa.schema([pa.field("image", column.type)]))["image"]
    assert to_numpy(cut(column, places), layout).tobytes() == array.tobytes()


def test_one_chunk_of_bytes_is_a_view_at_a_tenth_of_a_microsecond_a_row() -> None:
    array = np.zeros((60_000, 28, 28), np.uint8)
    field, column = from_numpy("image", array)
    layout = layouts_of(pa.schema([field]))["image"]
    read = to_numpy(column, layout)
    assert read.__array_interface__["data"][0] == array.__array_interface__["data"][0]
    started = time.perf_counter()
    to_numpy(column, layout)
    assert (time.perf_counter() - started) / len(array) < 0.1e-6


def test_a_file_says_its_shapes_twice_and_plain_pyarrow_reads_it(tmp_path: Path) -> None:
    array = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    field, column = from_numpy("image", array)
    schema = schema_of([field, pa.field("label", pa.int64())], {"trainingrun.rows": "2"})
    pq.write_table(pa.Table.from_arrays([column, pa.array([0, 1])], schema=schema), tmp_path / "a.parquet")
    read = pq.read_schema(tmp_path / "a.parquet")
    assert read.metadata == {b"trainingrun.rows": b"2", b"image.shape": b"3,4", b"image.dtype": b"float32"}
    assert read.field("image").metadata[b"trainingrun.shape"] == b"3,4"
    expected = {"image": ArrayLayout((3, 4), np.dtype("float32"))}
    assert layouts_of(read) == expected
    without_field_metadata = pa.schema([pa.field("image", pa.binary(48))], read.metadata)
    assert layouts_of(without_field_metadata) == expected


def test_nested_lists_of_a_data_frame_are_read_from_parquet_in_batches(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 28, 28))
    pandas.DataFrame({"image": pixels.tolist(), "label": range(1000)}).to_parquet(tmp_path / "a.parquet")
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert layouts_of(file.schema_arrow) == {}
    read = []
    for batch in file.iter_batches(batch_size=300):
        layout = infer_list_layout(batch.column(0))
        assert layout == ArrayLayout((28, 28), np.dtype("int64"))
        read.append(to_numpy(batch.column(0), layout))
    assert (np.concatenate(read) == pixels).all()


RAY_SCRIPT = """
import sys
import numpy, pyarrow, pyarrow.parquet
from ray.data._internal.tensor_extensions.arrow import ArrowTensorArray, ArrowTensorType
from trainingrun_trainer.data.layout import layouts_of, to_numpy
array = numpy.arange(60, dtype=numpy.uint8).reshape(3, 4, 5)
second = ArrowTensorArray.from_numpy(array)
kind = ArrowTensorType((4, 5), pyarrow.uint8())
storage = pyarrow.array(array.reshape(3, -1).tolist(), kind.storage_type)
first = pyarrow.ExtensionArray.from_storage(kind, storage)
table = pyarrow.table({"first": first, "second": second})
pyarrow.parquet.write_table(table, sys.argv[1])
read = pyarrow.parquet.read_table(sys.argv[1])
layouts = layouts_of(read.schema)
assert isinstance(read.schema.field("first").type, ArrowTensorType)
assert all((to_numpy(read[name], layouts[name]) == array).all() for name in ("first", "second"))
"""


def test_tensors_of_ray_are_read_with_and_without_ray(tmp_path: Path) -> None:
    file = tmp_path / "ray.parquet"
    subprocess.run([sys.executable, "-c", RAY_SCRIPT, str(file)], check=True, timeout=120)
    table = pq.read_table(file)
    layouts = layouts_of(table.schema)
    assert layouts == dict.fromkeys(("first", "second"), ArrayLayout((4, 5), UINT8))
    for name, layout in layouts.items():
        assert to_numpy(table[name], layout).tobytes() == bytes(range(60))


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int32", "int64", "uint64", "float16", "float64", "bool"])
def test_lists_have_the_type_that_is_stored(kind: str) -> None:
    column = pa.array([np.array([0, 1], kind)], pa.list_(pa.type_for_alias(kind)))
    assert infer_list_layout(column) == ArrayLayout((2,), np.dtype(kind))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2]),
        pa.array([b"\x89PNG"]),
        pa.array([["a"]]),
        pa.array([[[[[[1]]]]]]),
        pa.array([], pa.list_(pa.int8())),
    ],
)
def test_other_columns_are_not_arrays(column: pa.Array) -> None:
    assert infer_list_layout(column) is None
    assert layouts_of(pa.schema([pa.field("image", column.type)])) == {}
