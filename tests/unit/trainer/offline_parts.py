"""The parts of a run of `offline`: its plan, rows from tensors, news in lists, checkpoints in memory."""

from __future__ import annotations

import copy
import dataclasses
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.train.restored import Restored

ROWS = 22


def rows(count: int = ROWS, seed: int = 0) -> dict[str, torch.Tensor]:
    """`count` rows of four numbers, and classes from 0 to 2."""
    source = torch.Generator().manual_seed(seed)
    return {
        "image": torch.randn(count, 4, generator=source),
        "label": torch.randint(0, 3, (count,), generator=source),
    }


def recipe(**changes: Any) -> dict[str, Any]:
    """A recipe that trains `offline_hooks:Plain`, eight rows a step."""
    usual = {
        "dataset": {"train": {"format": "Parquet", "path": "/train"}},
        "model": {"function": "offline_hooks:Plain"},
        # Depends on the gradient's size, and would move a parameter that has one of zero.
        "optimizer": {"function": "torch.optim:SGD", "parameters": {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}},
        "metrics": [{"function": "offline_hooks:mean_output"}],
        "globalBatchSize": 8,
        "epochs": 2,
    }
    return usual | changes


VALIDATED = {
    "train": {"format": "Parquet", "path": "/train"},
    "validation": {"format": "Parquet", "path": "/validation"},
}


@dataclass
class Plan:
    """What a rank trains. `turns` are an epoch's micro-batches: for each the indices of each rank's rows."""

    recipe: dict[str, Any]
    turns: list[list[list[int]]]
    checkpoints: dict[str, Any] = field(default_factory=dict)
    data: dict[str, torch.Tensor] = field(default_factory=rows)
    validation: list[list[list[int]]] = field(default_factory=list)
    bad_rows: int = 0


def evenly(count: int, size: int) -> list[list[list[int]]]:
    """Turns of one rank: `size` rows each, the last one with what is left."""
    return [[list(range(start, min(start + size, count)))] for start in range(0, count, size)]


class News:
    """The reporter and the store of one rank. `saved` are checkpoints, `best` what was kept as the best."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.published: list[dict[str, Any]] = []
        self.saved: list[SimpleNamespace] = []
        self.best: list[tuple[int, dict[str, float]]] = []
        self.must_stop: Callable[[], bool] = lambda: False
        self.is_heard = True
        self.always_due = False

    def tell(self, kind: str, **values: Any) -> None:
        self.told.append((kind, values))

    def publish(self, **status: Any) -> None:
        self.published.append(status)

    def is_stop_requested(self) -> bool:
        return self.must_stop()

    def is_status_due(self, *, now: bool = False) -> bool:
        return now or self.always_due

    def postpone_status(self) -> None:
        pass

    @property
    def notices(self) -> list[str]:
        return [values["message"] for kind, values in self.told if kind == "Notice"]

    @property
    def epochs(self) -> list[dict[str, Any]]:
        return [values for kind, values in self.told if kind == "EpochEnded"]


class Feed:
    """Deals a plan's rows to one rank. `turn` is the next one of the epoch; each brings `plan.bad_rows` bad rows."""

    def __init__(self, plan: Plan, rank: int):
        self.consumed = Consumed()
        self.bad_rows = 0
        self.is_stopped = False
        self.turn = 0
        self._plan = plan
        self._rank = rank

    def train(self, epoch: int, must_stop: Callable[[], bool]) -> Iterator[Any]:
        self.bad_rows = 0
        while self.turn < len(self._plan.turns):
            self.turn += 1
            self.bad_rows += self._plan.bad_rows
            yield self._dealt(self._plan.turns[self.turn - 1], must_stop)
        self.turn = 0

    def account(self) -> Consumed:
        return self.consumed

    def drain(self) -> None:
        pass

    def validation(self, must_stop: Callable[[], bool]) -> Iterator[Any]:
        for dealt in self._plan.validation:
            yield self._dealt(dealt, must_stop)

    def _dealt(self, dealt: list[list[int]], must_stop: Callable[[], bool]) -> Any:
        counts = tuple(len(indices) for indices in dealt)
        agreement = SimpleNamespace(rows=counts, total_rows=sum(counts), waited_seconds=0.0, must_stop=must_stop())
        return SimpleNamespace(batch=self._batch(dealt), agreement=agreement, is_first=self.turn == 1, causes={})

    def _batch(self, dealt: list[list[int]]) -> dict[str, torch.Tensor] | None:
        indices = dealt[self._rank]
        return {name: values[indices] for name, values in self._plan.data.items()} if indices else None


class Store:
    """Keeps checkpoints in `news`, and goes on from the one that it is made with."""

    initial = None

    def __init__(self, news: News, feed: Feed, start: SimpleNamespace | None):
        self._news = news
        self._feed = feed
        self._start = start

    def save(self, state: Any, position: Any, consumed: Any, metrics: Any, *, best: bool) -> dict[str, Any]:
        file = io.BytesIO()
        torch.save(state, file)
        self._news.saved.append(
            SimpleNamespace(state=file.getvalue(), position=copy.copy(position), turn=self._feed.turn)
        )
        values = {"epoch": position.epoch, "step": position.step, "best": best, "metrics": dict(metrics)}
        return {"path": f"step-{position.step}", **values}

    def best(self) -> Any:
        return None

    def keep_best(self, metrics: dict[str, float]) -> None:
        self._news.best.append((len(self._news.saved) - 1, dict(metrics)))

    def restore(self) -> Any:
        if self._start is None:
            return None
        self._feed.turn = self._start.turn
        return Kept("step", Path("/nowhere/state.pt"), copy.copy(self._start.position), saved=self._start)


@dataclasses.dataclass(frozen=True)
class Kept(Restored):
    """A checkpoint that is in memory."""

    saved: Any = None

    def state(self, device: Any) -> dict[str, Any]:
        return loaded(self.saved)


def loaded(checkpoint: SimpleNamespace) -> dict[str, Any]:
    """The state that a checkpoint holds."""
    return torch.load(io.BytesIO(checkpoint.state), weights_only=True)
