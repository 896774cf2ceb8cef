"""Ranks get each row once and in the same order, whatever workers, objects and authors do. Without Ray's processes."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from pool_by_hand import KEY, ROWS, SHUFFLED, STORE_BYTES, HandCrew, pool_over, rows_of, run

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.failures.errors import UserCodeError
from trainingrun_trainer.pool.dispatcher import Dispatcher
from trainingrun_trainer.pool.losses import lost_objects
from trainingrun_trainer.pool.tasks import PassKey


def nothing(method: str, worker: str) -> None:
    """No mishap."""


async def one_pass(pool: Dispatcher) -> list[int]:
    pool.begin(KEY, SHUFFLED, b"")
    return await rows_of(pool, 0)


def crew_of(pool: Dispatcher) -> HandCrew:
    crew: Any = pool._crew
    return crew


def test_each_row_comes_once_and_all_workers_have_a_part_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def story(pool: Dispatcher) -> list[int]:
        rows = await one_pass(pool)
        assert all(worker.calls for worker in crew_of(pool).members.values())
        assert sum(pool.rows_by_node.values()) == ROWS
        assert set(pool.rows_by_node) == {"node-0", "node-1"}
        return rows

    rows = run(monkeypatch, pool_over(tmp_path), nothing, story)
    assert len(set(rows)) == len(rows) == ROWS
    assert rows != sorted(rows)


def test_what_the_pool_may_hold_follows_from_the_nodes_object_stores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def story(pool: Dispatcher) -> int:
        await one_pass(pool)
        schedule: Any = pool._schedule
        return int(schedule.figures(0.0).budget_bytes)

    assert run(monkeypatch, pool_over(tmp_path), nothing, story) == STORE_BYTES // 2


def test_ranks_share_a_pass_and_those_that_ask_before_it_begins_wait(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def story(pool: Dispatcher) -> list[list[int]]:
        early = asyncio.ensure_future(rows_of(pool, 1))
        await asyncio.sleep(0.01)
        assert not early.done()
        pool.begin(KEY, SHUFFLED, b"")
        return [await rows_of(pool, 0), await early]

    ranks = run(monkeypatch, pool_over(tmp_path, world_size=2), nothing, story)
    assert abs(len(ranks[0]) - len(ranks[1])) <= 1
    assert len(set(ranks[0]) | set(ranks[1])) == ROWS


def test_workers_that_die_cost_no_row_and_change_no_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pool = pool_over(tmp_path)
    expected = run(monkeypatch, pool, nothing, one_pass)
    calls = itertools.count(1)

    def die(method: str, worker: str) -> None:
        if next(calls) in (2, 6, 9):
            raise ray.exceptions.RayActorError()

    async def story(pool: Dispatcher) -> list[int]:
        rows = await one_pass(pool)
        assert crew_of(pool).lost
        assert len(crew_of(pool).lost) == len(set(crew_of(pool).lost))
        return rows

    assert run(monkeypatch, pool, die, story) == expected


def test_tables_that_are_lost_are_made_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of slabs before units are made of them, and of units before their rank has fetched them."""
    pool = pool_over(tmp_path)
    expected = run(monkeypatch, pool, nothing, one_pass)

    async def story(pool: Dispatcher) -> list[int]:
        pool.begin(KEY, SHUFFLED, b"")
        lost = 0

        async def lose() -> None:
            nonlocal lost
            while lost < 6:
                for table in [*pool._references.tables.values()][:2]:
                    lost += not table.is_lost and table.value is not None
                    table.is_lost = table.value is not None
                await asyncio.sleep(0.002)

        losing = asyncio.ensure_future(lose())
        rows = await rows_of(pool, 0)
        losing.cancel()
        assert lost >= 2
        return rows

    assert run(monkeypatch, pool, nothing, story) == expected


def fail_late(batch: dict[str, Any]) -> dict[str, Any]:
    if (batch["label"] == 1500).any():
        raise ValueError("the author's mistake")
    return batch


def test_an_author_s_exception_reaches_the_rank_behind_the_rows_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(UserCodeError, match="ValueError: the author's mistake"):
        run(monkeypatch, pool_over(tmp_path, f"{__name__}:fail_late"), nothing, one_pass)


def test_rows_that_are_used_do_not_come_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pool = pool_over(tmp_path)
    whole = run(monkeypatch, pool, nothing, one_pass)
    used = Consumed()
    used.add(np.array(whole[:1000]))

    async def story(pool: Dispatcher) -> list[int]:
        pool.prepare_ahead(KEY, SHUFFLED)
        await asyncio.sleep(0.02)
        pool.begin(KEY, SHUFFLED, used.to_bytes())
        return await rows_of(pool, 0)

    assert run(monkeypatch, pool, nothing, story) == whole[1000:]


@pytest.mark.parametrize("is_shuffled", [True, False])
@pytest.mark.parametrize("used_by", [(0, 1), (700, 699), (1500, 1499), (1350, 1400)])
def test_each_rank_of_a_resumed_epoch_goes_on_exactly_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, used_by: tuple[int, int], is_shuffled: bool
) -> None:
    pool = pool_over(tmp_path, world_size=2, slab_bytes=2000)
    epoch = dataclasses.replace(SHUFFLED, shuffle=is_shuffled)

    async def story(dispatcher: Dispatcher, consumed: bytes = b"") -> list[list[int]]:
        dispatcher.begin(KEY, epoch, consumed)
        ranks = await asyncio.gather(*(rows_of(dispatcher, rank, KEY) for rank in range(2)))
        (a_pass,) = dispatcher._schedule._agenda.begun
        assert (a_pass._reading.ahead, a_pass.held.slabs) == (0, 0)
        return ranks

    whole = run(monkeypatch, pool, nothing, story)
    used = Consumed()
    for rows, count in zip(whole, used_by, strict=True):
        used.add(np.array(rows[:count], np.int64))
    rest = run(monkeypatch, pool, nothing, functools.partial(story, consumed=used.to_bytes()))
    assert rest == [rows[count:] for rows, count in zip(whole, used_by, strict=True)]


def test_a_pass_that_was_made_ahead_is_there_as_it_begins_and_nothing_is_kept_of_those_that_are_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    following = PassKey(1, "train", 1)

    async def story(pool: Dispatcher) -> list[int]:
        pool.begin(KEY, SHUFFLED, b"")
        pool.prepare_ahead(following, SHUFFLED)
        rows = await rows_of(pool, 0)
        await asyncio.sleep(0.05)
        pool.begin(following, SHUFFLED, b"")
        first = await pool.take(following, 0)
        assert first.units
        pool.begin(PassKey(1, "train", 2), SHUFFLED, b"")
        again = await rows_of(pool, 0, PassKey(1, "train", 2))
        assert again == rows
        await asyncio.sleep(0.01)
        assert not pool._references.tables
        return rows

    assert len(run(monkeypatch, pool_over(tmp_path), nothing, story)) == ROWS


def test_what_breaks_the_pool_itself_is_told_to_those_who_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def story(pool: Dispatcher) -> None:
        waiting = asyncio.ensure_future(rows_of(pool, 0))
        await asyncio.sleep(0.01)
        crew_of(pool).handle = lambda name: 1 // 0  # type: ignore[method-assign]
        pool.begin(KEY, SHUFFLED, b"")
        await waiting

    with pytest.raises(ZeroDivisionError):
        run(monkeypatch, pool_over(tmp_path), nothing, story)


def test_the_loss_of_an_object_is_known_through_ray_s_wrapping() -> None:
    lost = ray.exceptions.ObjectLostError("ab" * 28, None, "")
    assert lost_objects(lost) == {"ab" * 28}
    assert lost_objects(ray.exceptions.RayTaskError("make", "", lost)) == {"ab" * 28}
    assert lost_objects(ray.exceptions.RayTaskError("make", "", ValueError("other"))) == set()
