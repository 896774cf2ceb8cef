"""How many rows a call of a transform gets, and the seed that comes with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from block_samples import block, chain_of
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.data.call_size import CALL_BYTES, first_rows, next_rows
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.seeds import EPOCH_SEED, epoch_seed
from trainingrun_trainer.data.transform import Chain


def batch(name: str, **settings: Any) -> Chain:
    return chain_of(name, "Batch", **settings)


@pytest.mark.parametrize(("size", "calls"), [(4, [4, 4, 2]), (10, [10]), (1, [1] * 10), (1000, [10])])
def test_a_call_gets_exactly_the_rows_that_the_run_asks_for(size: int, calls: list[int]) -> None:
    made = list(batch("sizes_of_calls", batch_size=size).blocks(block(10)))
    assert [table.num_rows for table in made] == calls
    assert [table.column("call").unique().to_pylist() for table in made] == [[rows] for rows in calls]
    assert pa.concat_tables(made).column(ROW_ID).equals(block(10).column(ROW_ID))


def test_paths_that_become_pictures_are_never_made_at_once() -> None:
    paths = pa.table({"label": pa.array(range(3_000)), "path": ["/data/picture.jpg"] * 3_000})
    transform = batch("blow_up", parameters={"width": 150_000})
    sizes = [(table.num_rows, table.nbytes) for table in transform.blocks(paths)]
    assert sum(rows for rows, _ in sizes) == 3_000
    assert max(size for _, size in sizes) <= 2 * CALL_BYTES


def test_small_rows_soon_come_in_large_calls() -> None:
    rows = pa.table({"label": pa.array(np.arange(100_000))})
    made = list(batch("sizes_of_calls").blocks(rows))
    assert len(made) < 10
    assert made[0].num_rows == 32


@given(st.integers(1, 10**6), st.integers(0, 1 << 34))
def test_the_first_call_is_small(rows: int, size: int) -> None:
    first = first_rows(rows, size)
    assert 1 <= first <= 32
    assert first == 1 or first * size <= CALL_BYTES * rows


@given(st.integers(1, 10**6), st.integers(0, 1 << 34), st.integers(0, 1 << 36))
def test_a_call_grows_step_by_step_and_shrinks_at_once(rows: int, given_bytes: int, made_bytes: int) -> None:
    following = next_rows(rows, given_bytes, made_bytes)
    assert 1 <= following <= 4 * rows
    largest = max(given_bytes, made_bytes)
    assert following == 1 or following * largest <= CALL_BYTES * rows
    # It is as large as both bounds allow.
    assert following == 4 * rows or (following + 1) * largest > CALL_BYTES * rows


def test_a_block_without_rows_is_no_call() -> None:
    assert list(batch("returns_nothing").blocks(block(0))) == []


def in_epoch(table: pa.Table, seed: int, epoch: int) -> pa.Table:
    return table.append_column(EPOCH_SEED, pa.repeat(epoch_seed(seed, epoch), table.num_rows))


def drawn(transform: Chain, table: pa.Table) -> list[int]:
    made = transform(table)
    assert EPOCH_SEED not in made.column_names
    return made.column("drawn").to_pylist()


@pytest.mark.parametrize("name", ["draws", "draws_by_row"])
def test_a_function_that_asks_gets_a_seed_of_its_run_epoch_and_rows(name: str) -> None:
    transform = chain_of(name, "Row" if name == "draws_by_row" else "Batch")
    first = drawn(transform, in_epoch(block(), 7, 0))
    assert len(set(first)) == 6
    assert drawn(transform, in_epoch(block(), 7, 0)) == first
    assert not set(drawn(transform, in_epoch(block(), 7, 1))) & set(first)
    assert not set(drawn(transform, in_epoch(block(), 8, 0))) & set(first)


def test_a_resumed_epoch_augments_its_rows_as_it_would_have() -> None:
    transform = chain_of("draws_by_row", "Row")
    whole = drawn(transform, in_epoch(block(), 7, 0))
    assert drawn(transform, in_epoch(block().take([4, 1]), 7, 0)) == [whole[4], whole[1]]


@pytest.mark.parametrize("size", [1, 4, 5])
def test_neither_cuts_nor_places_change_a_rows_seed(size: int) -> None:
    whole = drawn(batch("draws"), in_epoch(block(), 7, 0))
    order = [5, 0, 3, 1, 2, 4]
    assert drawn(batch("draws", batch_size=size), in_epoch(block().take(order), 7, 0)) == [whole[i] for i in order]
    assert drawn(chain_of("draws_by_row", "Row"), in_epoch(block(), 7, 0)) == whole


def test_a_seed_of_the_runs_own_stays() -> None:
    transform = chain_of("draws_by_row", "Row", parameters={"seed": 3})
    assert drawn(transform, in_epoch(block(), 7, 0)) == [3] * 6
