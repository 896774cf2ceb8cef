"""Ranks train whole batches in equal shares, every row once and the same ones whatever the timing. Ranks: threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_threads import Tables, blocks, check, ids_of, iterators, train

from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.consumed import ROW_ID, Piece, row_ids
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.hooks import Hook
from trainingrun_trainer.train.device_link import CpuLink


def as_hook(table: pa.Table) -> dict[str, Any]:
    import torch

    SEEN.append(table.num_rows)
    assert ROW_ID not in table.column_names
    return {name: torch.tensor(table.column(name).to_pylist()) for name in table.column_names}


SEEN: list[int] = []
PACK = Collate(Hook("spec.recipe.collate", f"{__name__}:pack", "collate"))
HOOK = Collate(Hook("spec.recipe.collate", f"{__name__}:as_hook", "collate"))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 40), max_size=5), min_size=1, max_size=4),
    st.integers(1, 30),
    st.integers(0, 3),
    st.booleans(),
)
def test_every_row_once_in_whole_batches(lengths: list[list[int]], batch: int, prefetch: int, is_hook: bool) -> None:
    made, every = blocks(lengths)
    portions, _, _ = train(iterators(made), batch, prefetch=prefetch, collate=HOOK if is_hook else None)
    check(portions, every, batch)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(1, 40), max_size=5), min_size=1, max_size=3), st.integers(1, 9), st.integers(1, 3))
def test_micro_batches_make_whole_batches(lengths: list[list[int]], micro: int, accumulation: int) -> None:
    made, every = blocks(lengths)
    portions, _, _ = train(iterators(made), micro * accumulation, accumulation=accumulation)
    check(portions, every, micro)


def test_three_row_groups_and_two_ranks_make_the_steps_of_one_rank() -> None:
    made, every = blocks([[1000, 1000], [1000]])
    portions, ranks, _ = train(iterators(made), 100)
    check(portions, every, 100)
    assert len(portions[0]) == 30
    assert [sum(len(part.ids) for part in mine) for mine in portions] == [1500, 1500]
    assert len(ranks[0].handed) == 10


def test_a_rank_without_any_block_has_its_share_of_every_step() -> None:
    made, every = blocks([[4700], [], []])
    portions, ranks, _ = train(iterators(made), 64)
    check(portions, every, 64)
    assert {part.agreement.rows for part in portions[0][:-1]} == {(22, 21, 21)}
    # Once to each of the others for a step.
    assert len(ranks[0].handed) == 2 * len(portions[0])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 40), max_size=4), min_size=2, max_size=3), st.integers(1, 30), st.integers(0, 9)
)
def test_a_rank_that_is_late_changes_nothing(lengths: list[list[int]], batch: int, late: int) -> None:
    made, _ = blocks(lengths)

    def slowly(mine: list[pa.Table]) -> Iterator[pa.Table]:
        for table in mine:
            time.sleep(0.015)
            yield table

    held_up = iterators(made)
    held_up[late % len(made)] = lambda: slowly(made[late % len(made)])
    prompt, _, _ = train(iterators(made), batch)
    delayed, _, _ = train(held_up, batch)
    of_ranks = [[[part.ids.tolist() for part in mine] for mine in portions] for portions in (prompt, delayed)]
    assert of_ranks[0] == of_ranks[1]


def test_a_step_with_enough_rows_everywhere_costs_one_exchange() -> None:
    made, _ = blocks([[500], [500]])
    portions, ranks, _ = train(iterators(made), 100)
    assert (len(portions[0]), ranks[0].rounds, ranks[0].handed) == (10, 11, [])


def test_the_last_rows_are_shared_out_and_some_ranks_may_get_none() -> None:
    made, every = blocks([[12], [0], [0], [0]])
    portions, _, _ = train(iterators(made), 10)
    check(portions, every, 10)
    assert [part.agreement.rows for part in portions[0]] == [(3, 3, 2, 2), (1, 1, 0, 0)]
    assert [part.batch is None for part in (mine[-1] for mine in portions)] == [False, False, True, True]


def test_a_hook_gets_one_batch_at_a_time_and_its_result_is_not_cut() -> None:
    SEEN.clear()
    made, every = blocks([[1000], []])
    portions, _, _ = train(iterators(made), 96, collate=HOOK)
    check(portions, every, 96)
    assert max(SEEN) == 48


def pack(table: pa.Table) -> dict[str, Any]:
    """Fewer tensors than rows, and none that begins with the rows."""
    import torch

    return {"total": torch.tensor(sum(table.column("label").to_pylist())), "names": [[1], [2, 3]]}


def test_a_hook_may_pack_rows_as_it_likes() -> None:
    made, every = blocks([[70], [10]])
    portions, _, _ = train(iterators(made), 20, collate=PACK)
    assert sorted(row for step in ids_of(portions) for row in step) == sorted(every)
    for part in (part for mine in portions for part in mine):
        assert part.batch is not None
        assert part.batch["total"] == sum(int(row) % 7 for row in part.ids)
        assert part.batch["names"] == [[1], [2, 3]]


def test_small_rows_are_made_in_one_go_but_not_more_than_are_small_here() -> None:
    """What a row weighs is measured after the transform: 48 KB here, whatever was stored."""
    sizes: list[int] = []

    class Counting(Collate):
        def __call__(self, table: pa.Table) -> dict[str, Any]:
            sizes.append(table.num_rows)
            return super().__call__(table)

    def tables(row_bytes: int) -> list[Tables]:
        ids = row_ids(Piece(0, ("x",), 1), 0, 2000)
        values = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(2000 * row_bytes, np.uint8)), row_bytes)
        return [lambda: iter([pa.table({"x": values, ROW_ID: ids})])]

    train(tables(48_000), 50, collate=Counting())
    assert max(sizes) == 50
    sizes.clear()
    train(tables(4), 50, collate=Counting())
    assert max(sizes) == 2000


def test_a_rank_hears_of_a_stop_while_it_waits_for_rows_and_its_rows_stay_unused() -> None:
    go_on = threading.Event()

    def late() -> Iterator[pa.Table]:
        go_on.wait(60)
        return iter(())

    made, _ = blocks([[30]])
    portions, _, supplies = train([lambda: iter(made[0]), late], 40, must_stop=lambda: True)
    go_on.set()
    assert portions == [[], []]
    assert [supply.is_stopped for supply in supplies] == [True, True]


class Busy(CpuLink):
    def is_idle(self) -> bool:
        return False


@pytest.mark.parametrize("link", [CpuLink(), Busy()])
def test_waiting_counts_only_while_the_device_has_nothing_to_do(link: CpuLink) -> None:
    go_on = threading.Event()
    asked: list[None] = []

    def late() -> Iterator[pa.Table]:
        go_on.wait(60)
        return iter(blocks([[20]])[0][0])

    def is_third_round() -> bool:
        asked.append(None)
        if len(asked) >= 3:
            go_on.set()
        return False

    portions, _, (supply,) = train([late], 10, link=link, must_stop=is_third_round)
    waited = portions[0][0].agreement.waited_seconds
    assert len(portions[0]) == 2
    assert (waited > 0.02) == link.is_idle()
    assert (supply.waited_for_rows > 0.02) == link.is_idle()


def test_what_collate_and_fetching_raise_reaches_the_rank() -> None:
    made, _ = blocks([[30]])
    with pytest.raises(ZeroDivisionError):
        train(iterators(made), 10, collate=Collate(Hook("spec.recipe.collate", f"{__name__}:divide", "collate")))

    def failing() -> Iterator[pa.Table]:
        yield made[0][0]
        raise OSError("the store is gone")

    with pytest.raises(OSError, match="the store is gone"):
        train([failing], 10)


def divide(table: pa.Table) -> dict[str, Any]:
    return {"x": 1 // 0}


def test_rows_of_different_shapes_in_one_batch_are_named() -> None:
    ids = row_ids(Piece(0, ("x",), 1), 0, 4)
    made = [pa.table({"x": [[1, 2]] * 2, ROW_ID: ids[:2]}), pa.table({"x": [[1, 2, 3]] * 2, ROW_ID: ids[2:]})]
    with pytest.raises(DataError, match="column"):
        train(iterators([made]), 4, collate=Collate(required=("x",)))
