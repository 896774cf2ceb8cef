"""Only a node that trains, and that goes while it does, stops a run."""

from __future__ import annotations

import pytest

from trainingrun_trainer import placement
from trainingrun_trainer.driver import preemption
from trainingrun_trainer.driver.preemption import PreemptionWatch
from trainingrun_trainer.placement import DATA_SELECTOR, TRAINER_SELECTOR, Node

NODES = [
    Node("id-head", "head", 0, 0, {}),
    Node("id-d0", "data-0", 4, 0, dict(DATA_SELECTOR)),
    Node("id-t0", "trainer-0", 4, 0, dict(TRAINER_SELECTOR)),
    Node("id-t1", "trainer-1", 4, 0, dict(TRAINER_SELECTOR)),
]
RANKS = ["id-t0"]


@pytest.fixture
def draining(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The ids of the nodes that drain; a test adds to them."""
    ids: set[str] = set()
    monkeypatch.setattr(preemption, "draining_nodes", lambda: set(ids))
    monkeypatch.setattr(preemption, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(placement, "live_nodes", lambda: NODES)
    return ids


def test_a_node_that_trains_is_named(draining: set[str]) -> None:
    watch = PreemptionWatch()
    assert watch.leaving(RANKS) == []
    draining.add("id-t0")
    assert watch.leaving(RANKS) == ["trainer-0"]


def test_other_nodes_may_go(draining: set[str]) -> None:
    watch = PreemptionWatch()
    watch.leaving(RANKS)
    draining |= {"id-d0", "id-head", "id-t1", "id-of-a-node-that-is-gone"}
    assert watch.leaving(RANKS) == []


def test_without_known_ranks_every_trainer_node_counts(draining: set[str]) -> None:
    watch = PreemptionWatch()
    watch.leaving([])
    draining |= {"id-d0", "id-head"}
    assert watch.leaving([]) == []
    draining |= {"id-t1"}
    assert watch.leaving([]) == ["trainer-1"]


def test_a_node_that_drained_before_the_attempt_began_trains_nothing(draining: set[str]) -> None:
    draining.add("id-t1")
    watch = PreemptionWatch()
    assert watch.leaving([]) == []
    assert watch.leaving([]) == []


def test_ray_is_asked_once_a_second(draining: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preemption, "_LOOK_SECONDS", 60.0)
    asked: list[int] = []
    monkeypatch.setattr(preemption, "draining_nodes", lambda: asked.append(1) or set())
    watch = PreemptionWatch()
    for _ in range(100):
        watch.leaving(RANKS)
    assert len(asked) == 1
