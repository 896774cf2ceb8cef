"""Advice on a Row transform: a slow one that has a faster equal, by rows that were made anyway."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import torch
from block_samples import block, chain_of

from trainingrun_trainer.data.row_advice import RowSample, advice_on, sample_of


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Several threads on a busy machine wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def sampled(name: str, kind: str, rows: int = 64, shape: tuple[int, ...] = (28, 28)) -> RowSample | None:
    chain = chain_of(name, kind)
    given = block(rows, shape)
    return sample_of(given, chain(given), chain, "image")


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3)])
def test_a_row_function_with_a_faster_equal_gets_advice(shape: tuple[int, ...]) -> None:
    sample = sampled("notebook_row", "Row", shape=shape)
    assert sample is not None
    advice = advice_on(sample)
    assert advice is not None
    numbers = re.search(r"prepares ([\d,]+) rows/s .* did ([\d,]+) rows/s \((\d+)x\) on (\d+) of the same rows", advice)
    assert numbers is not None
    by_row, by_batch, ratio, rows = (int(text.replace(",", "")) for text in numbers.groups())
    assert abs(by_row - sample.rows_per_second) <= 1
    assert ratio == pytest.approx(by_batch / by_row, rel=0.1, abs=1)
    assert ratio >= 2
    assert rows == sample.before.num_rows == sample.after.num_rows
    assert advice.endswith(
        "and produced the same values, so it can replace it: transform: "
        "{function: trainingrun_trainer.vision:normalize, kind: Batch}"
    )


def test_a_row_function_with_other_values_is_told_so() -> None:
    sample = sampled("other_values_by_row", "Row")
    assert sample is not None
    advice = advice_on(sample)
    assert advice is not None
    assert advice.endswith("(its values differ from yours); your own Batch transform can be as fast")


def test_a_sample_of_large_rows_is_small() -> None:
    sample = sampled("notebook_row", "Row", rows=32, shape=(224, 224, 3))
    assert sample is not None
    assert sample.before.num_rows == 1
    assert sum(chunk.get_total_buffer_size() for chunk in sample.before.columns) < 200_000


@pytest.mark.parametrize(
    ("name", "kind", "rows"), [("halve", "Batch", 64), ("notebook_row", "Row", 8), ("keep_even_rows", "Row", 64)]
)
def test_where_no_advice_can_come_of_it_there_is_no_sample(name: str, kind: str, rows: int) -> None:
    assert sampled(name, kind, rows=rows) is None
