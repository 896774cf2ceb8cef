"""A rank's epochs: which passes it makes, which rows count as used, and what was waited for. The hub is hand-made."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import ray
import torch

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.consumed import ROW_ID, Consumed, Piece, row_ids
from trainingrun_trainer.data.table_notes import with_bad, with_vanished
from trainingrun_trainer.pool.client import HubRows
from trainingrun_trainer.pool.tasks import Given, PassKey
from trainingrun_trainer.train.feed import Feed
from trainingrun_trainer.train.lockstep import Lockstep

ROWS = 25


class Hub:
    """A pool whose every pass is one unit of ROWS rows. Notes with what passes begin; `hold` is called before a unit
    is given, `fetch` before one is fetched."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, int]] = []
        self.keys: list[PassKey] = []
        self.ahead: list[list[tuple[PassKey, int]]] = []
        self.taken: list[tuple[PassKey, int]] = []
        self.hold: Callable[[], Any] = lambda: None
        self.fetch: Callable[[], Any] = lambda: None
        self.begin_pass = SimpleNamespace(remote=self._begin)
        self.take = SimpleNamespace(remote=lambda key, rank: lambda: self._given(key))
        self.took = SimpleNamespace(remote=lambda key, rank, number: self.taken.append((key, number)))

    def _begin(self, key: PassKey, epoch: Any, consumed: bytes, ahead: Any) -> Callable[[], None]:
        self.begun.append((key.dataset, epoch.number, Consumed.from_bytes(consumed).rows() if consumed else 0))
        self.keys.append(key)
        self.ahead.append([(following, plan.number) for following, plan in ahead])
        return lambda: None

    def _given(self, key: PassKey) -> Given:
        if (key, 0) in self.taken:
            return Given(has_ended=True)
        self.hold()
        return Given(units=((0, self._table),))

    def _table(self) -> pa.Table:
        self.fetch()
        ids = row_ids(Piece(0, ("x",), 1), 0, ROWS)
        return pa.table({"image": ids, "label": ids, ROW_ID: ids})


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setattr(ray, "get", lambda answer: answer())
    monkeypatch.setattr(ray, "wait", lambda answers, **options: (answers, []))
    return Hub()


def feed_of(hub: Hub) -> Feed:
    source = {"format": "Parquet", "path": "/rows"}
    recipe = Recipe.model_validate(
        {"dataset": {"train": source, "validation": source}, "globalBatchSize": 10, "epochs": 6}
    )
    return Feed(recipe, HubRows(hub, 0), Lockstep(0, 1), torch.device("cpu"), generation=3)


def never() -> bool:
    return False


def test_rows_are_used_before_their_step_and_an_epoch_ends_with_none(hub: Hub) -> None:
    feed = feed_of(hub)
    used = [(turn.agreement.rows, turn.is_first, feed.consumed.rows()) for turn in feed.train(4, never)]
    assert used == [((10,), True, 10), ((10,), False, 20), ((5,), False, 25)]
    assert feed.consumed.rows() == 0
    assert not feed.is_stopped
    assert hub.begun == [("train", 4, 0)]


def test_an_epoch_that_was_left_keeps_what_is_used_and_goes_on_with_it(hub: Hub) -> None:
    feed = feed_of(hub)
    for _ in feed.train(0, never):
        break
    assert feed.account().rows() == 10
    for _ in feed.train(0, never):
        break
    assert hub.begun == [("train", 0, 0), ("train", 0, 10)]
    assert hub.keys == [PassKey(3, "train", 0), PassKey(3, "train", 1)]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_bad_rows_count_with_the_steps_whose_account_has_them(hub: Hub, steps: int) -> None:
    """Whatever is lost after a checkpoint and read again, each counts once."""
    ids = row_ids(Piece(0, ("x",), 1), 0, ROWS + 3)
    hub._table = (
        lambda: with_bad(  # type: ignore[method-assign]
            with_vanished(
                pa.table({"image": ids[:ROWS], "label": ids[:ROWS], ROW_ID: ids[:ROWS]}), ids[ROWS : ROWS + 1]
            ),
            ids[ROWS + 1 :],
        )
    )
    feed = feed_of(hub)
    counted = []
    for turn in itertools.islice(feed.train(0, never), steps):
        counted.append((feed.bad_rows, feed.consumed.rows()))
        assert turn.batch is not None
    assert counted == [(2, rows + 3) for rows in (10, 20, 25)[:steps]]
    if steps == 3:
        list(feed.train(1, never))
        assert feed.bad_rows == 2


def test_bad_rows_that_come_alone_at_the_end_of_an_epoch_count(hub: Hub) -> None:
    bad = row_ids(Piece(1, ("y",), 1), 0, 4)
    empty = with_bad(hub._table().slice(0, 0), bad)
    hub._given = lambda key: (  # type: ignore[method-assign]
        Given(has_ended=True) if (key, 1) in hub.taken else Given(units=((0, hub._table), (1, lambda: empty)))
    )
    feed = feed_of(hub)
    assert len(list(feed.train(0, never))) == 3
    assert feed.bad_rows == 4


def test_validation_uses_no_rows_of_the_epoch(hub: Hub) -> None:
    feed = feed_of(hub)
    turns = list(feed.validation(never))
    assert [len(turn.batch["label"]) for turn in turns if turn.batch] == [10, 10, 5]
    assert feed.consumed.rows() == 0
    assert hub.begun == [("validation", 0, 0)]


def test_what_follows_a_pass_is_said_as_it_begins(hub: Hub) -> None:
    feed = feed_of(hub)
    for epoch in (4, 5):
        list(feed.train(epoch, never))
        list(feed.validation(never))
    train, validation = ([PassKey(3, name, number) for number in range(2)] for name in ("train", "validation"))
    assert hub.keys == [train[0], validation[0], train[1], validation[1]]
    assert hub.ahead == [[(validation[0], 0), (train[1], 5)], [], [(validation[1], 0)], []]


def test_waiting_for_rows_is_divided_by_what_has_kept_them(hub: Hub) -> None:
    asked = threading.Event()
    hub.hold = lambda: (asked.wait(60), time.sleep(0.09))
    hub.fetch = lambda: time.sleep(0.03)
    causes = [turn.causes for turn in feed_of(hub).train(0, lambda: bool(asked.set()))][-1]
    assert set(causes) == {"Production", "Transfer", "Collate"}
    assert causes["Production"] > 2 * causes["Transfer"] > 0


def test_a_stop_that_is_heard_while_there_are_no_rows_leaves_the_epoch_open(hub: Hub) -> None:
    go_on = threading.Event()
    given = hub._given

    def then_nothing(key: PassKey) -> Given:
        if (key, 0) in hub.taken:
            go_on.wait(60)
        return given(key)

    hub.take.remote = lambda key, rank: lambda: then_nothing(key)
    feed = feed_of(hub)
    stops = iter([False, False, True])
    assert len(list(feed.train(0, lambda: next(stops)))) == 2
    assert feed.is_stopped
    assert feed.consumed.rows() == 20
    go_on.set()
