"""What a transform gets and gives keeps its type, whatever it is and whichever rows a call had."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from block_samples import block, chain_of

from trainingrun_trainer.data.columns import columns_of, table_of
from trainingrun_trainer.data.layout import from_numpy
from trainingrun_trainer.data.nulls import with_nulls
from trainingrun_trainer.data.values import stored
from trainingrun_trainer.failures.errors import DataError

PICTURES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
COLUMNS: dict[str, pa.Array] = {
    "picture": pa.array([{"bytes": b"x", "path": "a"}, {"bytes": b"", "path": None}, None, None], PICTURES),
    "words": pa.array([["a", "b"], [], None, ["c"]], pa.list_(pa.string())),
    "tokens": pa.array([[1, 2], [], None, [2**40]], pa.list_(pa.int64())),
    "small tokens": pa.array([[1], [2], [3], [4, 5]], pa.large_list(pa.int16())),
    "boxes": pa.array([[[1, 2]], [], None, [[3, 4], [5, 6]]], pa.list_(pa.list_(pa.float64()))),
    "holes": pa.array([[1, None], [2], [], [3]], pa.list_(pa.int32())),
    "uneven": pa.array([[[1], [2, 3]], [[1]], [], [[]]], pa.list_(pa.list_(pa.int32()))),
    "price": pa.array([Decimal("1.20"), None, Decimal("3.00"), Decimal("0.01")], pa.decimal128(10, 2)),
    "when": pa.array([datetime.datetime(2026, 1, day + 1) for day in range(4)], pa.timestamp("us", "UTC")),
    "day": pa.array([datetime.date(2026, 1, 1), None, None, None], pa.date32()),
    "kind": pa.array(["a", "b", "a", None]).dictionary_encode(),
    "count": pa.array([1, None, 2**62 + 1, 4], pa.int64()),
    "byte": pa.array([1, 2, 3, 255], pa.uint8()),
    "wide": pa.array([1, 2, 3, 2**64 - 1], pa.uint64()),
    "half": pa.array(np.array([1, 2, 3, 4], np.float16)),
    "share": pa.array([0.5, None, float("nan"), 2.0], pa.float32()),
    "yes": pa.array([True, False, None, True]),
    "nothing": pa.nulls(4),
    "map": pa.array([[("a", 1)], [], None, []], pa.map_(pa.string(), pa.int64())),
}


def everything() -> pa.Table:
    return pa.table({**COLUMNS, "label": pa.array([0, 1, 2, 3], pa.int32())})


def given(table: pa.Table, name: str) -> np.ndarray:
    return stored(table.column(name), table.schema.field(name))


@pytest.mark.parametrize("batch_format", ["NumPy", "Torch"])
def test_a_batch_function_hands_through_what_it_does_not_touch(batch_format: str) -> None:
    made = chain_of("only_label", "Batch", batch_format)(everything())
    require_untouched(made)


def test_a_row_function_hands_through_what_it_does_not_touch() -> None:
    require_untouched(chain_of("only_label_by_row", "Row")(everything()))


@pytest.mark.parametrize(("name", "kind"), [("only_label", "Batch"), ("only_label_by_row", "Row")])
def test_columns_that_are_known_to_have_nulls_look_alike_in_every_call_and_lose_nothing(name: str, kind: str) -> None:
    table = everything()
    table = table.cast(with_nulls(table.schema, ["count", "yes", "byte"]))
    assert given(table, "count").dtype == given(table.slice(3), "count").dtype == np.float64
    assert given(table, "yes").dtype == given(table.slice(3), "yes").dtype == object
    require_untouched(chain_of(name, kind)(table))


def require_untouched(made: pa.Table) -> None:
    assert made.column("label").to_pylist() == [1, 2, 3, 4]
    for name, column in COLUMNS.items():
        assert made.schema.field(name).type == column.type, name
        if name == "share":
            assert made.column(name).null_count == 1 and np.isnan(made.column(name)[2].as_py())
        else:
            assert made.column(name).to_pylist() == column.to_pylist(), name


@pytest.mark.parametrize("name", sorted(COLUMNS))
@pytest.mark.parametrize("rows", [slice(0, 4), slice(1, 3), slice(3, 4), slice(0, 0)])
def test_a_slice_of_a_column_is_handed_out_as_it_is_stored(name: str, rows: slice) -> None:
    column = pa.chunked_array([COLUMNS[name].slice(rows.start, rows.stop - rows.start)])
    values = stored(column, pa.field(name, column.type))
    assert values.shape == (len(column),)
    for value, expected in zip(values, column.to_pylist(), strict=True):
        if name == "when":
            assert value == np.datetime64(expected.replace(tzinfo=None))
        elif name == "day":
            assert (expected is None and np.isnat(value)) or value.astype(object) == expected
        elif name == "share":
            assert np.isnan(value) if expected is None or np.isnan(expected) else value == expected
        else:
            assert (value.tolist() if isinstance(value, np.ndarray) else value) == expected


def test_lists_of_numbers_are_arrays_of_their_type_that_may_be_written_to() -> None:
    table = everything().drop_columns(["share"])  # its NaN equals nothing
    tokens = given(table, "tokens")
    assert tokens[0].dtype == np.int64
    tokens[0] += 1
    boxes = given(table, "boxes")
    assert boxes[3].shape == (2, 2)
    assert boxes[3].dtype == boxes[1].dtype == np.float64
    boxes[3][:] = 0
    assert given(table, "half").dtype == np.float16
    assert given(table, "count").tolist() == [1, None, 2**62 + 1, 4]
    assert table.equals(everything().drop_columns(["share"]))


@pytest.mark.parametrize(("name", "kind"), [("ragged_row", "Row"), ("ragged_batch", "Batch")])
def test_rows_of_any_length_have_one_type_in_every_call(name: str, kind: str) -> None:
    transform = chain_of(name, kind)
    tables = [transform(block(6).slice(start, 1)) for start in range(6)] + [transform(block(6))]
    schema = tables[-1].schema
    assert schema.field("boxes").type == pa.list_(pa.list_(pa.float32()))
    assert schema.field("mask").type == pa.list_(pa.bool_())
    whole = pa.concat_tables(tables, promote_options="permissive")
    assert whole.column("boxes").to_pylist()[3] == [[3.0] * 4] * 3
    assert whole.slice(6).to_pylist() == whole.slice(0, 6).to_pylist()
    # Only a call without a single token says nothing of their type.
    assert {str(table.schema.field("tokens").type) for table in tables[1:]} == {str(pa.list_(pa.int64()))}


def test_what_is_uniform_is_an_array_for_tensors_and_what_is_not_a_list() -> None:
    table = table_of({"a": [[1, 2], [3, 4]], "b": [[1], [2, 3]], "c": np.zeros((2, 3), np.int16), "d": ["x", "y"]})
    columns = columns_of(table)
    assert columns["a"].tolist() == [[1, 2], [3, 4]] and columns["a"].dtype == np.int64
    assert [row.tolist() for row in columns["b"]] == [[1], [2, 3]]
    assert columns["c"].dtype == np.int16 and columns["c"].shape == (2, 3)
    assert columns["d"].tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], pa.int64()),
        ([True, False], pa.bool_()),
        ([1.5, 2.0], pa.float64()),
        (np.array([1, 2], np.uint16), pa.uint16()),
        (torch.tensor([1, 2], dtype=torch.int16), pa.int16()),
        ([np.float32(1), np.float32(2)], pa.float32()),
        ([torch.tensor(1), torch.tensor(2)], pa.int64()),
        (np.array(["a", "b"]), pa.string()),
        ([b"a", None], pa.binary()),
        ([np.arange(2, dtype=np.int32), np.arange(3, dtype=np.int32)], pa.list_(pa.int32())),
        ([np.zeros((0, 4)), np.zeros((2, 4))], pa.list_(pa.list_(pa.float64()))),
        ([np.arange(2), None], pa.list_(pa.int64())),
        ([[1], [2, 3]], pa.list_(pa.int64())),
        ([[torch.tensor(1)], [torch.tensor(2), torch.tensor(3)]], pa.list_(pa.int64())),
        (np.array([["a", "b"], ["c", "d"]]), pa.list_(pa.string())),
        ([{"x": 1}, {"x": 2}], pa.struct([("x", pa.int64())])),
        ([Decimal("1.5"), Decimal("2.5")], pa.decimal128(2, 1)),
        (np.array(["2026-01-01", "2026-01-02"], "datetime64[us]"), pa.timestamp("us")),
        (pa.array([1, 2], pa.int8()), pa.int8()),
    ],
    ids=str,
)
def test_results_keep_their_types(values: Any, kind: pa.DataType) -> None:
    table = table_of({"x": values})
    assert table.schema.field("x").type == kind
    assert table.num_rows == 2


def test_arrays_of_several_dimensions_stay_bytes() -> None:
    table = table_of({"x": torch.ones(2, 3, 4)})
    assert table.schema.field("x").equals(from_numpy("x", np.ones((2, 3, 4), np.float32))[0], check_metadata=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, "a"], 'returned "x" with values that make no column'),
        ([object()], 'returned "x" with values that make no column'),
        ([np.zeros(2), np.zeros((2, 2))], r'returned "x" of shape \(2, 2\) for row 1 of a call, others have \(2,\)'),
        (np.zeros((2, 0)), 'returned "x": shape'),
        ("text", 'returned "x" as one value'),
    ],
)
def test_what_makes_no_column_is_named(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        table_of({"x": values})
