"""Batches reach a GPU beside its computing, and nothing waits for it. The GPU is made by hand: none is here."""

from __future__ import annotations

import contextlib
from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from trainingrun_trainer.train.device_link import CpuLink, CudaLink, Sent, link_to

Pair = namedtuple("Pair", "first second")


@dataclass
class Stream:
    """A stream of a GPU; `waited_for` are the events that it has been told to wait for."""

    name: str
    waited_for: list[Any] = field(default_factory=list)
    is_done: bool = True

    def record_event(self) -> str:
        return f"arrival on {self.name}"

    def wait_event(self, event: Any) -> None:
        self.waited_for.append(event)

    def query(self) -> bool:
        return self.is_done

    def synchronize(self) -> None:
        pytest.fail("this process has waited for the device")


@pytest.fixture
def computing(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """The stream that computes on a GPU that is this process's memory."""
    stream = Stream("computing")
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream("copies"))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor + 0)
    return stream


def test_a_batch_travels_without_anyone_waiting(computing: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[torch.Tensor] = []
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: kept.append(tensor))
    link = CudaLink(torch.device("cpu"))
    given = {
        "ids": torch.arange(3),
        "boxes": [torch.ones(1, 4), torch.ones(2, 4)],
        "graph": {"edges": (torch.zeros(2), "name"), "pair": Pair(torch.ones(1), None)},
        "count": 7,
    }
    sent = link.send(given)
    assert kept == [] and computing.waited_for == []
    received = link.receive(sent)
    assert computing.waited_for == ["arrival on copies"]
    assert len(kept) == 5
    assert received["ids"].tolist() == [0, 1, 2]
    assert [len(boxes) for boxes in received["boxes"]] == [1, 2]
    assert received["graph"]["edges"][1] == "name"
    assert isinstance(received["graph"]["pair"], Pair)
    assert received["count"] == 7


@pytest.mark.parametrize("is_done", [True, False])
def test_a_device_is_idle_once_it_has_done_all_that_was_queued(computing: Stream, is_done: bool) -> None:
    computing.is_done = is_done
    assert CudaLink(torch.device("cpu")).is_idle() == is_done


def test_a_cpu_has_nothing_to_send() -> None:
    link = link_to(torch.device("cpu"))
    assert isinstance(link, CpuLink)
    batch = {"x": torch.zeros(1)}
    assert link.receive(link.send(batch)) is batch
    assert link.send(batch) == Sent(batch)
    assert link.is_idle()
