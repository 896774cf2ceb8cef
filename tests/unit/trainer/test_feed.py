"""A rank's epochs: what is asked of the hub, which rows count as used, and what was waited for. Ray is made by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import ray
import ray.train
import torch

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.consumed import ROW_ID, Consumed, Piece, row_ids
from trainingrun_trainer.train.feed import Feed
from trainingrun_trainer.train.lockstep import Lockstep

ROWS = 25


class Counter:
    """One of Ray's timers."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def get(self) -> float:
        return self.seconds


class Shard:
    """A Ray Data iterator over one block of ROWS rows; Ray has waited 3 s for its production, and 1 s for its way."""

    def __init__(self) -> None:
        self._iter_stats = SimpleNamespace(
            iter_blocked_production_wait_s=Counter(), iter_blocked_data_transfer_s=Counter()
        )

    def iter_batches(self, **options: Any) -> Iterator[pa.Table]:
        self._iter_stats.iter_blocked_production_wait_s.seconds += 3.0
        self._iter_stats.iter_blocked_data_transfer_s.seconds += 1.0
        ids = row_ids(Piece(0, ("x",), 1), 0, ROWS)
        yield pa.table({"image": ids, "label": ids, ROW_ID: ids})


class Hub:
    """Notes with what each pass begins."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, int | None]] = []
        self.begin_epoch = SimpleNamespace(remote=self._begin)

    def _begin(self, name: str, epoch: Any, consumed: bytes | None) -> None:
        used = None if consumed is None else Consumed.from_bytes(consumed).rows()
        self.begun.append((name, epoch.number, used))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    shards = {"train": Shard(), "validation": Shard()}
    monkeypatch.setattr(ray, "get", lambda value: value)
    monkeypatch.setattr(ray.train, "get_dataset_shard", shards.__getitem__)
    return Hub()


def feed_of(hub: Hub) -> Feed:
    source = {"format": "Parquet", "path": "/rows"}
    recipe = Recipe.model_validate({"dataset": {"train": source, "validation": source}, "globalBatchSize": 10})
    return Feed(recipe, hub, Lockstep(0, 1), torch.device("cpu"))


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


def test_validation_uses_no_rows_of_the_epoch(hub: Hub) -> None:
    feed = feed_of(hub)
    turns = list(feed.validation(never))
    assert [len(turn.batch["label"]) for turn in turns if turn.batch] == [10, 10, 5]
    assert feed.consumed.rows() == 0
    assert hub.begun == [("validation", 0, None)]


def test_waiting_for_rows_is_divided_as_ray_has_waited_in_this_epoch(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    class Late(Shard):
        def iter_batches(self, **options: Any) -> Iterator[pa.Table]:
            asked.wait(60)
            yield from super().iter_batches()

    shard = Late()
    shard._iter_stats.iter_blocked_data_transfer_s.seconds = 100.0  # of epochs before
    monkeypatch.setattr(ray.train, "get_dataset_shard", lambda name: shard)
    causes = [turn.causes for turn in feed_of(hub).train(0, lambda: bool(asked.set()))][-1]
    assert set(causes) == {"Production", "Transfer", "Collate"}
    assert causes["Transfer"] > 0
    assert causes["Production"] == pytest.approx(3 * causes["Transfer"])


def test_a_stop_that_is_heard_while_there_are_no_rows_leaves_the_epoch_open(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(Shard):
        def iter_batches(self, **options: Any) -> Iterator[pa.Table]:
            yield from super().iter_batches()
            go_on.wait(60)

    go_on = threading.Event()
    monkeypatch.setattr(ray.train, "get_dataset_shard", lambda name: Silent())
    feed = feed_of(hub)
    stops = iter([False, False, True])
    assert len(list(feed.train(0, lambda: next(stops)))) == 2
    assert feed.is_stopped
    assert feed.consumed.rows() == 20
    go_on.set()
