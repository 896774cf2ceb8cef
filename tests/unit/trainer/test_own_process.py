"""A process that makes its own rows makes those that data workers would, in their order, and raises what is raised."""

from __future__ import annotations

import bdb
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pool_by_hand import KEY, ROWS, SHUFFLED, pool_over, rows_of, run

from trainingrun_trainer.data.consumed import ROW_ID, Consumed
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.pool.dispatcher import Dispatcher
from trainingrun_trainer.pool.own_process import HERE, OwnRows
from trainingrun_trainer.pool.pass_plans import Pool
from trainingrun_trainer.pool.tasks import PassKey
from trainingrun_trainer.train.randomness import seed_all


def own(pool: Pool) -> OwnRows:
    return OwnRows(pool, lambda level, message: None, budget_bytes=1 << 20)


def taken(rows: OwnRows, key: PassKey, consumed: bytes = b"", seen: list[int] | None = None) -> list[int]:
    """The rows of a pass; `seen` has those before an exception too."""
    seen = [] if seen is None else seen
    rows.begin(key, SHUFFLED, consumed, ())
    for table in rows.of(key).tables():
        seen += table.column(ROW_ID).to_pylist()
    return seen


def test_rows_come_in_the_order_of_any_pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    used = Consumed()

    async def story(pool: Dispatcher) -> tuple[list[int], list[int]]:
        pool.begin(KEY, SHUFFLED, b"")
        whole = await rows_of(pool, 0)
        used.add(np.array(whole[:1000]))
        following = PassKey(1, "train", 1)
        pool.begin(following, SHUFFLED, used.to_bytes())
        return whole, await rows_of(pool, 0, following)

    pool = pool_over(tmp_path)
    whole, rest = run(monkeypatch, pool, lambda method, worker: None, story)
    alone = own(pool)
    assert taken(alone, KEY) == whole
    assert taken(alone, PassKey(1, "train", 1), used.to_bytes()) == rest
    assert alone.rows_by_node == {HERE: ROWS + len(rest)}


def test_nothing_is_made_before_it_is_asked_for(tmp_path: Path) -> None:
    rows = own(pool_over(tmp_path, f"{__name__}:noted"))
    rows.begin(KEY, SHUFFLED, b"", ())
    NOTED.clear()
    tables = rows.of(KEY).tables()
    assert not NOTED
    first = next(tables)
    assert first.num_rows <= sum(NOTED) < ROWS


NOTED: list[int] = []


def noted(batch: dict[str, Any]) -> dict[str, Any]:
    NOTED.append(len(batch["label"]))
    return batch


def failing(batch: dict[str, Any]) -> dict[str, Any]:
    if (batch["label"] == 1500).any():
        raise KeyError("the author's mistake")
    return batch


def test_an_author_s_exception_comes_behind_the_rows_before_it(tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(Exception, match="the author's mistake") as caught:
        taken(own(pool_over(tmp_path, f"{__name__}:failing")), KEY, seen=seen)
    assert 0 < len(seen) < ROWS and len(set(seen)) == len(seen)
    assert "in failing" in failure_of(caught.value).text


def quitting(batch: dict[str, Any]) -> dict[str, Any]:
    if (batch["label"] == 1500).any():
        raise bdb.BdbQuit
    return batch


def test_a_debugger_that_is_quit_ends_the_pass_at_once(tmp_path: Path) -> None:
    rows = own(pool_over(tmp_path, f"{__name__}:quitting"))
    with pytest.raises(Exception, match="BdbQuit"):
        taken(rows, KEY)
    assert rows.of(KEY).waited == {"Production": 0.0, "Transfer": 0.0}


def drawing(batch: dict[str, Any]) -> dict[str, Any]:
    """An augmentation: its numbers follow from the rows' seeds."""
    return {**batch, "noise": np.random.random(len(batch["label"])) + random.random() + torch.rand(()).item()}


def test_what_rows_draw_does_not_change_what_training_draws(tmp_path: Path) -> None:
    def drawn() -> tuple[float, float, float]:
        return random.random(), np.random.random(), torch.rand(()).item()

    seed_all(7)
    expected = drawn()
    seed_all(7)
    rows = own(pool_over(tmp_path, f"{__name__}:drawing"))
    taken(rows, KEY)
    assert drawn() == expected
