"""The author's transform gets rows as they expect them, and their mistakes come back as theirs."""

from __future__ import annotations

from typing import Any

import author_functions
import numpy as np
import pyarrow as pa
import pytest
import torch
from block_samples import block, chain_of, pictures
from PIL import Image
from torchvision.transforms import Compose, Normalize, ToTensor

from trainingrun_trainer.data.columns import columns_of
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.layout import layouts_of
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration, UserCodeError

FORMATS = ["NumPy", "Torch"]


def row(name: str, **settings: Any) -> Chain:
    return chain_of(name, "Row", **settings)


def batch(name: str, batch_format: str = "NumPy", **settings: Any) -> Chain:
    return chain_of(name, "Batch", batch_format, **settings)


def ids_of(table: pa.Table) -> list[int]:
    return table.column(ROW_ID).to_pylist()


def test_a_notebooks_row_function_runs_unchanged() -> None:
    made = row("notebook_row")(block())
    to_tensor = Compose([ToTensor(), Normalize((0.5,), (0.5,))])
    expected = torch.stack([to_tensor(Image.fromarray(picture)) for picture in pictures(6)])
    columns = columns_of(made)
    assert columns["image"].dtype == np.float32
    assert np.array_equal(columns["image"], expected.numpy())
    assert columns["label"].tolist() == list(range(6))
    assert ids_of(made) == ids_of(block())


@pytest.mark.parametrize("batch_format", FORMATS)
def test_a_batch_function_gets_whole_blocks(batch_format: str) -> None:
    made = batch("halve", batch_format)(block())
    assert np.array_equal(columns_of(made)["image"], pictures(6) // 2)
    assert str(layouts_of(made.schema)["image"]) == "uint8 of shape 4x6"
    assert made.column("name").to_pylist() == [f"row {number}" for number in range(6)]
    assert ids_of(made) == ids_of(block())


def test_an_arrow_function_gets_a_table_without_ids() -> None:
    made = batch("arrow_labels", "Arrow")(block())
    assert made.column("label").to_pylist() == [7] * 6
    assert np.array_equal(columns_of(made)["image"], pictures(6))
    assert ids_of(made) == ids_of(block())


def test_parameters_reach_the_function() -> None:
    made = batch("halve", parameters={"by": 4})(block())
    assert np.array_equal(columns_of(made)["image"], pictures(6) // 4)


@pytest.mark.parametrize("training", [True, False])
def test_a_function_that_asks_learns_whether_it_is_training(training: bool) -> None:
    assert row("told_by_row", training=training)(block()).column("told").to_pylist() == [training] * 6
    made = batch("told_by_batch", training=training, parameters={"scale": 2.5})(block())
    assert made.column("told").to_pylist() == [training] * 6
    assert made.column("scale").to_pylist() == [2.5] * 6


@pytest.mark.parametrize(
    "transform",
    [row("row_in_place"), batch("batch_in_place"), batch("tensors_in_place", "Torch")],
    ids=["Row", "NumPy", "Torch"],
)
def test_writing_in_place_changes_the_result_and_not_the_block(transform: Chain) -> None:
    given = block()
    made = transform(given)
    assert np.array_equal(columns_of(made)["image"], pictures(6) // 2)
    assert np.array_equal(columns_of(given)["image"], pictures(6))
    assert given.column("label").to_pylist() == list(range(6))


@pytest.mark.parametrize("batch_format", FORMATS)
def test_rows_may_be_dropped(batch_format: str) -> None:
    # Text cannot be dropped by a mask of tensors, so the block has none.
    given = block().drop_columns(["name"])
    made = batch("keep_even", batch_format)(given)
    assert made.column("label").to_pylist() == [0, 2, 4]
    assert set(ids_of(made)) <= set(ids_of(given)) and len(set(ids_of(made))) == 3
    assert batch("keep_none", batch_format)(given).num_rows == 0


def test_a_block_without_ids_stays_without() -> None:
    assert ROW_ID not in batch("halve")(block().drop_columns([ROW_ID])).column_names


WRONG = [
    (row("row_as_list"), "the Row transform returned a list with ndarray, expected the row as a dict, None to leave"),
    (row("row_of_its_own_depth"), 'returned "image" of shape (6,) for row 1 of a call, others have (4, 6)'),
    (batch("returns_nothing"), "the Batch transform returned None (is a `return` missing?), expected a dict of"),
    (
        row("row_with_its_own_columns"),
        "returned the columns image for row 2 of a call, others have image, label, name",
    ),
    (batch("batch_as_list"), "the Batch transform returned list, expected a dict of arrays or tensors or a pyarrow"),
    (batch("unequal_columns"), "the transform returned columns of different lengths: image 2, label 6"),
    (batch("one_value"), 'the transform returned "label" as one value, expected one for every row'),
]


@pytest.mark.parametrize(("transform", "expected"), WRONG, ids=[case[0].steps[0].function for case in WRONG])
def test_a_wrong_result_is_named(transform: Chain, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        transform(block())
    assert expected in str(caught.value)


def test_a_mistake_of_the_author_shows_their_lines_only() -> None:
    with pytest.raises(UserCodeError) as caught:
        row("fails_on_row_three")(block())
    text = caught.value.text
    files = {line.split('"')[1] for line in text.splitlines() if line.startswith("  File ")}
    assert files == {author_functions.__file__}
    assert "in fails_on_row_three" in text and "in deeper" in text
    assert text.endswith('KeyError: "the author\'s own mistake"')


@pytest.mark.parametrize("batch_format", [*FORMATS, "Arrow"])
def test_a_mistake_in_a_batch_function_is_the_authors(batch_format: str) -> None:
    with pytest.raises(UserCodeError, match=r"ValueError: factor 0\.5 is wrong"):
        batch("slow_and_wrong", batch_format, parameters={"factor": 0.5})(block())


def test_parameters_that_the_function_cannot_take_are_refused_at_once() -> None:
    with pytest.raises(InvalidConfiguration, match=r"^spec\.recipe\.transform\.parameters: slow_and_wrong\(batch"):
        batch("slow_and_wrong").steps[0].check()
    with pytest.raises(InvalidConfiguration, match="unexpected keyword argument 'size'"):
        batch("halve", parameters={"size": 3}).steps[0].check()
