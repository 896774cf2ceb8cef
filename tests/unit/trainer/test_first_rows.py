"""The look at the first rows that transforms make: what is wrong with them is named, and nothing is made for it."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from pathlib import Path
from typing import Any

import author_functions
import numpy as np
import pyarrow as pa
import pytest
from block_samples import block, chain_of
from pool_by_hand import KEY, SHUFFLED, pool_over, rows_of, run

from trainingrun_trainer.data.transform_check import FirstRows
from trainingrun_trainer.failures.errors import InvalidConfiguration, UserCodeError
from trainingrun_trainer.pool.dispatcher import Dispatcher

NEEDED = ("image", "label")


def looked_at(name: str, kind: str, tables: int = 1, rows: int = 64, needed: tuple[str, ...] = NEEDED) -> pa.Table:
    chain = chain_of(name, kind)
    first = FirstRows(chain.steps, needed)
    for _ in range(tables):
        made = chain(block(rows))
        first.look(made, chain)
    return made


def test_what_is_as_it_should_be_passes() -> None:
    assert looked_at("halve", "Batch", tables=3).num_rows == 64


def test_a_column_that_is_not_made_is_named() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        looked_at("row_without_label", "Row")
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
        looked_at(name, kind)


def test_what_a_hook_of_the_author_makes_tensors_of_may_be_anything() -> None:
    assert looked_at("row_of_its_own_shape", "Row", needed=()).num_rows == 64


def test_a_missing_return_is_no_filter() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        looked_at("returns_nothing", "Row", tables=8)
    assert str(caught.value).startswith(
        "spec.recipe.transform (author_functions:returns_nothing): returned None for each of the first 512 rows (is a "
        "`return` missing?)"
    )


def test_a_filter_that_finds_nothing_in_some_hundred_rows_is_none_yet() -> None:
    assert looked_at("returns_nothing", "Row", tables=7).num_rows == 0


@pytest.mark.parametrize("name", ["keep_even_rows", "returns_an_empty_list"])
def test_a_filter_may_leave_out_what_it_likes(name: str) -> None:
    looked_at(name, "Row", tables=9)


def test_what_lies_behind_the_first_rows_costs_nothing() -> None:
    first = FirstRows(chain_of("halve", "Batch").steps, NEEDED)
    chain = chain_of("halve", "Batch")
    for _ in range(8):
        first.look(chain(block(64)), chain)
    first.look(chain(block(64)).drop_columns(["label"]), chain)


def counted(batch: dict[str, Any]) -> dict[str, Any]:
    author_functions.ROWS_MADE.append(len(batch["label"]))
    return batch


def test_the_first_rows_that_a_transform_gets_are_those_of_the_first_unit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """However slow it is, no rank waits for rows that are made for a check alone."""
    author_functions.ROWS_MADE.clear()

    async def story(pool: Dispatcher) -> int:
        pool.begin(KEY, SHUFFLED, b"")
        given = await pool.take(KEY, 0)
        return int(given.units[0][1].value.num_rows)

    pool = dataclasses.replace(pool_over(tmp_path, f"{__name__}:counted", needed=NEEDED), advised=("train", "image"))
    first = run(monkeypatch, pool, lambda method, worker: None, story)
    assert author_functions.ROWS_MADE[0] == first == 4


def without_label(batch: dict[str, Any]) -> dict[str, Any]:
    return {"image": np.asarray(batch["image"])}


def broken(batch: dict[str, Any]) -> dict[str, Any]:
    raise ValueError("the author's own mistake")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("without_label", InvalidConfiguration, 'returned no column "label"'),
        ("broken", UserCodeError, "the author's own mistake"),
    ],
)
def test_a_mistake_shows_before_ranks_are_there_and_to_the_ranks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, kind: type[Exception], words: str
) -> None:
    async def story(pool: Dispatcher) -> list[Exception | None]:
        pool.prepare_ahead(KEY, SHUFFLED)
        for _ in range(5000):
            if pool.refused is not None:
                break
            await asyncio.sleep(0.001)
        pool.begin(KEY, SHUFFLED, b"")
        with pytest.raises(kind, match=words):
            await rows_of(pool, 0)
        return [pool.refused]

    pool = pool_over(tmp_path, f"{__name__}:{name}", needed=NEEDED)
    (refused,) = run(monkeypatch, pool, lambda method, worker: None, story)
    assert isinstance(refused, kind) and re.search(words, str(refused))


def test_a_mistake_in_a_later_pass_is_told_to_ranks_alone_in_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def story(pool: Dispatcher) -> Exception | None:
        pool.begin(KEY, SHUFFLED, b"")
        with pytest.raises(UserCodeError):
            await rows_of(pool, 0)
        return pool.refused

    pool = pool_over(tmp_path, f"{__name__}:broken")
    assert run(monkeypatch, pool, lambda method, worker: None, story) is None
