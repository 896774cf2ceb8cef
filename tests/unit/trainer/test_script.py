"""What a script of one's own reports: its epochs, its numbers within them, and none of them twice or too often."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from trainingrun_trainer import script


class Hub:
    """Takes what the hub's methods are called with."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.publish = SimpleNamespace(remote=self.published.append)
        self.tell = SimpleNamespace(remote=lambda kind, values: self.told.append({"kind": kind, **values}))


@pytest.fixture
def rank() -> SimpleNamespace:
    return SimpleNamespace(number=0)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, rank: SimpleNamespace) -> Hub:
    made = Hub()
    context = SimpleNamespace(get_world_rank=lambda: rank.number)
    ray, train = ModuleType("ray"), ModuleType("ray.train")
    ray.get, ray.train = (lambda reference: reference), train  # type: ignore[attr-defined]
    train.report = lambda metrics, checkpoint: None  # type: ignore[attr-defined]
    train.get_context = lambda: context  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.train", train)
    monkeypatch.setattr(script, "_hub", lambda: made)
    monkeypatch.setattr(script, "_reported", script._Reported())
    return made


def test_each_report_ends_an_epoch(hub: Hub) -> None:
    for epoch in range(2):
        script.report({"loss": 1.0 - epoch / 2}, epoch=epoch, epochs=2)
    assert [(told["kind"], told["epoch"], told["step"], told["metrics"]) for told in hub.told] == [
        ("EpochEnded", 0, 1, {"loss": 1.0}),
        ("EpochEnded", 1, 2, {"loss": 0.5}),
    ]
    last = hub.published[-1]
    assert (last["epoch"], last["epochs"], last["percent"], last["total_steps"]) == (2, 2, 100.0, 2)


def test_numbers_within_an_epoch_are_recorded_at_most_once_a_second(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(script.time, "monotonic", lambda: clock.now)
    for step in range(1, 11):
        clock.now += 0.25
        script.log({"loss": step}, step=step, epoch=0, epochs=2)
    assert [(item["step"], item["metrics"]) for item in hub.published] == [
        (1, {"loss": 1.0}),
        (5, {"loss": 5.0}),
        (9, {"loss": 9.0}),
    ]
    assert {(item["epoch"], item["percent"]) for item in hub.published} == {(0, 0.0)}
    script.report({"loss": 0.5}, epoch=0, epochs=2)
    assert (hub.told[0]["step"], hub.published[-1]["step"], hub.published[-1]["percent"]) == (10, 10, 50.0)


def test_only_rank_0_is_heard(hub: Hub, rank: SimpleNamespace) -> None:
    rank.number = 1
    script.log({"loss": 1.0}, step=1, epoch=0, epochs=2)
    script.report({"loss": 1.0}, epoch=0, epochs=2)
    assert (hub.published, hub.told) == ([], [])
