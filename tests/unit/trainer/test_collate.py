"""A block becomes the tensors of a batch: the right types, nothing that is no tensor, and memory of its own."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from block_samples import block, pictures

from trainingrun_trainer.data.batches import Collate, as_lists, tensor_of
from trainingrun_trainer.data.columns import table_of
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.layout import layouts_of
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration, LayoutError
from trainingrun_trainer.hooks import Hook


def rows(count: int = 6) -> pa.Table:
    return block(count).drop_columns([ROW_ID])


def test_a_block_becomes_a_batch() -> None:
    made = Collate()(rows())
    assert made["image"].dtype == torch.uint8
    assert np.array_equal(made["image"].numpy(), pictures(6))
    assert made["label"].tolist() == list(range(6))
    assert set(made) == {"image", "label"}


LARGE = 2**62 + 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.array([1, 2], np.int8), torch.int64),
        (np.array([1, 200], np.uint8), torch.int64),
        (np.array([1, 2**32 - 1], np.uint32), torch.int64),
        (np.array([1, LARGE], np.uint64), torch.int64),
        (np.array([True, False]), torch.int64),
        (np.array([1, 0.1], np.float64), torch.float32),
        (np.array([1, 2], np.float16), torch.float32),
        (np.array([[1.0], [0.1]], np.float64), torch.float32),
        (np.array([[1.0], [0.1]], np.float16), torch.float16),
        (np.array([[1], [255]], np.uint8), torch.uint8),
        (np.array([[1], [200]], np.int16), torch.int16),
        (np.array([[1], [2**31]], np.int64), torch.int64),
        (np.array([[1], [2**16 - 1]], np.uint16), torch.int32),
        (np.array([[1], [2**32 - 1]], np.uint32), torch.int64),
        (np.array([[1], [LARGE]], np.uint64), torch.int64),
        (np.array([[True], [False]]), torch.bool),
    ],
)
def test_single_values_get_the_types_that_losses_want_and_arrays_keep_theirs(
    given: np.ndarray, expected: torch.dtype
) -> None:
    made = Collate(required=("x",))(table_of({"x": given}))
    assert made["x"].dtype == expected
    assert made["x"].tolist() == torch.tensor(given.tolist()).to(expected).tolist()


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_no_integer_changes_its_value(shape: tuple[int, ...]) -> None:
    table = table_of({"x": np.full(shape, 2**63, np.uint64)})
    with pytest.raises(DataError, match='column "x" holds 9223372036854775808; allowed: at most 9223372036854775807'):
        Collate(required=("x",))(table)


NOT_TENSORS: list[tuple[list[Any], str]] = [
    (["a", "b"], "string"),
    ([b"a", b"b"], "binary"),
    ([None, None], "null"),
    ([datetime.date(2026, 1, 1)] * 2, "date32"),
    ([decimal.Decimal("1.5")] * 2, "decimal128"),
    ([{"bytes": b"x", "path": None}] * 2, "struct"),
    ([["a"], ["b"]], "list<item: string>"),
]


@pytest.mark.parametrize(("column", "kind"), NOT_TENSORS)
def test_what_no_tensor_can_hold_is_left_out_unless_training_needs_it(column: list[Any], kind: str) -> None:
    table = pa.table({"x": column, "y": [1, 2]})
    assert set(Collate(required=("y",))(table)) == {"y"}
    with pytest.raises(InvalidConfiguration, match=f'column "x" is {kind}.*; allowed as input or target: numbers'):
        Collate(required=("x",))(table)


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ([1, None], 'column "x" has 1 nulls in 2 rows'),
        ([[1], None], "column x, row 1: "),
        ([[1], [1, 2]], "column x, "),
    ],
)
def test_rows_that_are_no_tensor_stop_only_a_run_that_needs_them(column: list[Any], problem: str) -> None:
    table = pa.table({"x": column, "y": [1, 2]})
    assert set(Collate(required=("y",))(table)) == {"y"}
    with pytest.raises(DataError, match=problem):
        Collate(required=("x",))(table)


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.list_(pa.int64(), 2), pa.large_list(pa.int64())])
def test_lists_of_one_length_are_an_array(kind: pa.DataType) -> None:
    """As a transform with Arrow makes them, or a file has them."""
    made = tensor_of(pa.chunked_array([pa.array([[1, 2], [300, 4]], kind)]), None, "x")
    assert (made.dtype, made.tolist()) == (torch.int64, [[1, 2], [300, 4]])


def test_a_dictionary_of_numbers_is_numbers() -> None:
    made = tensor_of(pa.chunked_array([pa.array([7, 9, 7]).dictionary_encode()]), None, "x")
    assert made.tolist() == [7, 9, 7]


def test_a_batch_can_be_changed_in_place() -> None:
    given = rows()
    made = Collate()(given)
    for tensor in made.values():
        tensor.add_(1)
    assert Collate()(given)["image"].tolist() == pictures(6).tolist()


def test_blocks_of_several_chunks_are_one_batch() -> None:
    made = Collate()(pa.concat_tables([rows(), rows().slice(2, 3)]))
    assert made["label"].tolist() == [0, 1, 2, 3, 4, 5, 2, 3, 4]
    assert np.array_equal(made["image"].numpy(), np.concatenate([pictures(6), pictures(6)[2:5]]))


def test_a_hook_gets_the_whole_table() -> None:
    made = Collate(Hook("spec.recipe.collate", "author_hooks:collate_text", "collate", {"width": 2}))(rows())
    assert made["image"].tolist() == [[5, 5]] * 6
    assert made["label"].tolist() == list(range(6))


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32, np.float16, np.bool_])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4)])
def test_a_hook_gets_lists_and_not_our_bytes(kind: type, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 2, (5, *shape)).astype(kind)
    given = table_of({"x": values, "y": np.arange(5)})
    assert pa.types.is_fixed_size_binary(given.schema.field("x").type)
    listed = as_lists(given.slice(1, 3))
    assert listed.column("x").to_pylist() == values[1:4].tolist()
    assert listed.column("y").to_pylist() == [1, 2, 3]
    assert listed.column_names == given.column_names
    assert not layouts_of(listed.schema)
    made = tensor_of(listed.column("x"), None, "x")
    assert np.array_equal(made.numpy(), values[1:4])


def test_a_hook_gets_everything_else_as_it_is() -> None:
    given = pa.table({"ids": [[1], [2, 3], None], "text": ["a", None, "c"], "image": [{"bytes": b"x"}] * 3})
    assert as_lists(given).equals(given)


def test_a_hook_may_return_any_mapping() -> None:
    made = Collate(Hook("spec.recipe.collate", "author_hooks:collate_as_tokenizers_do", "collate"))(rows())
    assert type(made) is dict
    assert made["input_ids"].shape == (1, 2)


def test_a_hook_that_returns_something_else_is_named() -> None:
    with pytest.raises(DataError, match="the collate hook returned list, expected a dict of tensors"):
        Collate(Hook("spec.recipe.collate", "author_hooks:collate_list", "collate"))(rows())
    with pytest.raises(InvalidConfiguration, match=r"^spec\.recipe\.collate\.function: "):
        Collate(Hook("spec.recipe.collate", "author_functions:nothing", "collate"))(rows())


def test_an_empty_list_is_no_array() -> None:
    with pytest.raises(LayoutError, match="found an empty list"):
        tensor_of(pa.chunked_array([pa.array([[], [1]], pa.list_(pa.int64()))]), None, "x")
