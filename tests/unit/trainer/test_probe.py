"""The look at the transform before training: a missing column fails, a slow row function earns advice."""

from __future__ import annotations

import re
from collections.abc import Iterator

import author_functions
import pytest
import torch
from block_samples import block, chain_of

from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.transform_check import Probe, probe
from trainingrun_trainer.failures.errors import InvalidConfiguration, UserCodeError


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in a data task, which has one CPU; several threads on a busy machine wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def probed(name: str, kind: str, rows: int = 64, shape: tuple[int, ...] = (28, 28), **settings: object) -> Probe:
    transform = chain_of(name, kind, **settings)
    return probe(block(rows, shape).drop_columns([ROW_ID]), transform, ("image", "label"), "image")


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3)])
def test_a_row_function_with_a_faster_equal_gets_advice(shape: tuple[int, ...]) -> None:
    found = probed("notebook_row", "Row", shape=shape)
    assert found.advice is not None
    assert found.rows_per_second > 0
    numbers = re.search(r"prepares ([\d,]+) rows/s .* did ([\d,]+) rows/s \((\d+)x\) on the same 64 rows", found.advice)
    assert numbers is not None
    by_row, by_batch, ratio = (int(text.replace(",", "")) for text in numbers.groups())
    assert abs(by_row - found.rows_per_second) <= 1
    assert ratio == pytest.approx(by_batch / by_row, rel=0.1, abs=1)
    assert ratio >= 2
    assert found.advice.endswith(
        "and produced the same values, so it can replace it: transform: "
        "{function: trainingrun_trainer.vision:normalize, kind: Batch}"
    )


def test_a_row_function_with_other_values_is_told_so() -> None:
    advice = probed("other_values_by_row", "Row").advice
    assert advice is not None
    assert advice.endswith("(its values differ from yours); your own Batch transform can be as fast")


def test_rows_that_become_large_are_tried_on_few() -> None:
    author_functions.ROWS_MADE.clear()
    transform = chain_of("counted_pictures", "Batch")
    probe(block(64).drop_columns([ROW_ID]), transform, ("image", "label"), "image")
    assert sum(author_functions.ROWS_MADE) == 1 + 4


def test_a_batch_function_needs_no_advice() -> None:
    found = probed("halve", "Batch")
    assert found.advice is None
    assert found.rows_per_second > 0


def test_a_column_that_is_not_made_is_named() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        probed("row_without_label", "Row")
    assert str(caught.value) == (
        'spec.recipe.transform: the transform "author_functions:row_without_label" returned no column "label"; '
        "it returned image"
    )


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("row_of_its_own_shape", "Row", '"image" as list<item: list<item: uint8>>, of which rows differ in shape'),
        ("text_labels", "Batch", '"label" as string, of which no tensor can be made'),
        ("labels_with_gaps", "Batch", '"label" as int64, 32 of 64 rows without a value'),
    ],
)
def test_a_column_that_no_tensor_can_hold_is_named(name: str, kind: str, found: str) -> None:
    with pytest.raises(InvalidConfiguration, match=re.escape(found) + ".*unless spec.recipe.collate makes tensors"):
        probed(name, kind)


def test_what_a_hook_of_the_author_makes_tensors_of_may_be_anything() -> None:
    transform = chain_of("row_of_its_own_shape", "Row")
    assert probe(block(8).drop_columns([ROW_ID]), transform, (), "image").rows_per_second > 0


def test_a_mistake_of_the_author_shows_before_training() -> None:
    with pytest.raises(UserCodeError, match="the author's own mistake"):
        probed("fails_on_row_three", "Row")


def test_a_missing_return_is_no_filter() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        probed("returns_nothing", "Row")
    assert str(caught.value).startswith(
        "spec.recipe.transform (author_functions:returns_nothing): returned None for each of the first 64 rows (is a "
        "`return` missing?)"
    )


@pytest.mark.parametrize("name", ["keep_even_rows", "returns_an_empty_list"])
def test_a_filter_may_leave_out_what_it_likes(name: str) -> None:
    assert probed(name, "Row").rows_per_second > 0
