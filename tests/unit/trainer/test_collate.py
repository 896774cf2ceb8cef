"""A block becomes the tensors of a batch: the right types, nothing that is no tensor, and memory of its own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from block_samples import block, pictures

from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.transform import table_of
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration


def test_a_block_becomes_a_batch() -> None:
    made = Collate()(block())
    assert made["image"].dtype == torch.uint8
    assert np.array_equal(made["image"].numpy(), pictures(6))
    assert made["label"].tolist() == list(range(6))
    assert made[ROW_ID].tolist() == block().column(ROW_ID).to_pylist()
    assert set(made) == {"image", "label", ROW_ID}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.array([1, 2], np.int8), torch.int64),
        (np.array([1, 2], np.uint32), torch.int64),
        (np.array([True, False]), torch.int64),
        (np.array([1, 2], np.float64), torch.float32),
        (np.array([1, 2], np.float16), torch.float32),
        (np.array([[1.0], [2.0]], np.float64), torch.float64),
        (np.array([[1], [2]], np.int16), torch.int16),
        (np.array([[True], [False]]), torch.bool),
    ],
)
def test_single_values_get_the_types_that_losses_want_and_arrays_keep_theirs(
    given: np.ndarray, expected: torch.dtype
) -> None:
    made = Collate()(table_of({"x": given, ROW_ID: np.arange(2)}))
    assert made["x"].dtype == expected
    assert made["x"].tolist() == given.tolist()


@pytest.mark.parametrize("column", [["a", "b"], [b"a", b"b"], [None, None]])
def test_what_is_no_number_is_left_out(column: list[object]) -> None:
    assert set(Collate()(pa.table({"x": column, ROW_ID: [0, 1]}))) == {ROW_ID}


def test_a_batch_can_be_changed_in_place() -> None:
    given = block()
    made = Collate()(given)
    for tensor in made.values():
        tensor.add_(1)
    assert Collate()(given)["image"].tolist() == pictures(6).tolist()
    assert given.column(ROW_ID).to_pylist() == block().column(ROW_ID).to_pylist()


def test_blocks_of_several_chunks_are_one_batch() -> None:
    made = Collate()(pa.concat_tables([block(), block().slice(2, 3)]))
    assert made["label"].tolist() == [0, 1, 2, 3, 4, 5, 2, 3, 4]
    assert np.array_equal(made["image"].numpy(), np.concatenate([pictures(6), pictures(6)[2:5]]))


def test_a_hook_gets_the_whole_table_and_ids_stay_with_the_rows() -> None:
    made = Collate("author_functions:collate_text", {"width": 2})(block())
    assert made["image"].tolist() == [[5, 5]] * 6
    assert made[ROW_ID].tolist() == block().column(ROW_ID).to_pylist()


def test_a_hook_that_returns_something_else_is_named() -> None:
    with pytest.raises(DataError, match="the collate hook returned list, expected a dict of tensors"):
        Collate("author_functions:collate_list")(block())
    with pytest.raises(InvalidConfiguration, match=r"^spec\.recipe\.collate\.function: "):
        Collate("author_functions:nothing")(block())
