"""Columns that are not arrays of one shape are refused by column and row, and no value ever wraps around."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from trainingrun_trainer.data.layout import (
    ArrayLayout,
    LayoutError,
    from_numpy,
    infer_list_layout,
    layouts_of,
    to_numpy,
)

UINT8 = np.dtype("uint8")


def test_a_pickled_shape_is_refused_without_unpickling_it() -> None:
    metadata = {
        "ARROW:extension:name": "ray.data.arrow_tensor",
        "ARROW:extension:metadata": b"\x80\x05K\x04.",
    }
    schema = pa.schema([pa.field("image", pa.list_(pa.uint8()), metadata=metadata)])
    with pytest.raises(LayoutError, match="column image: its tensor shape is pickled"):
        layouts_of(schema)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[[1, 2], [3, 4]], [[1, 2], [3]]], "row 1: found the shape 2x1..2, expected 2x2"),
        ([[[1, 2], [3, 4]], [[1, 2]]], "row 1: found the shape 1x2, expected 2x2"),
        ([[[1, 2]], [[1, None]]], "row 1: found null"),
        ([[[1, 2]], [None]], "row 1: found null"),
        ([[[1, 2]], None], "row 1: found null"),
        ([[[]]], "row 0: found an empty list"),
    ],
)
def test_irregular_lists_are_refused_by_row(rows: list, message: str) -> None:
    column = pa.array(rows, pa.list_(pa.list_(pa.int64())))
    with pytest.raises(LayoutError, match=f"column image, {message}"):
        infer_list_layout(column, name="image")


def test_values_of_a_wider_type_are_an_error_not_a_wrap() -> None:
    column = pa.chunked_array([pa.array([[[1, 2]]] * 10)])
    with pytest.raises(LayoutError, match="column image: found values of type int64, expected uint8"):
        to_numpy(column, ArrayLayout((1, 2), UINT8), name="image", first_row=100)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([b"ab"], pa.binary(2)), "found 2 bytes a row, expected 4 for uint8 of shape 2x2"),
        (pa.array([b"abcd", None], pa.binary(4)), "row 1: found null"),
        (pa.array([b"abcd"]), "found binary, which cannot be read as uint8 of shape 2x2"),
        (pa.array([[[1.5, 2.0], [3.0, 4.0]]]), "found values of type float64, expected uint8"),
        (pa.array([[[[1, 2], [3, 4]]]]), "row 0: found the shape 1x2x2, expected 2x2"),
        (pa.array([[1, 2, 3]]), "row 0: found the shape 3, expected 2x2"),
    ],
)
def test_a_column_that_does_not_fit_its_layout_is_refused(column: pa.Array, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        to_numpy(column, ArrayLayout((2, 2), UINT8), name="image")


@pytest.mark.parametrize(
    ("kind", "shape", "dtype", "message"),
    [
        (pa.binary(5), "2,2", "uint8", "4 bytes a row, found 5 bytes a row"),
        (pa.binary(4), "2;2", "uint8", "allowed: sizes separated by commas"),
        (pa.binary(4), "2,2", "byte8", "the name of a NumPy number type"),
        (pa.binary(4), "2,0", "uint8", "sizes separated by commas"),
        (pa.int64(), "2,2", "uint8", "found int64, allowed: fixed_size_binary or lists of numbers"),
    ],
)
def test_metadata_that_contradicts_the_column_is_refused(
    kind: pa.DataType, shape: str, dtype: str, message: str
) -> None:
    schema = pa.schema([pa.field("image", kind)], {"image.shape": shape, "image.dtype": dtype})
    with pytest.raises(LayoutError, match=message):
        layouts_of(schema)


def test_only_numbers_become_bytes() -> None:
    with pytest.raises(LayoutError, match="arrays hold booleans or numbers only"):
        from_numpy("image", np.array([["a"]]))
    field, column = from_numpy("label", np.array([1, 2]))
    assert (field.type, field.metadata, column.to_pylist()) == (pa.int64(), None, [1, 2])
