"""What is asked of Ray's autoscaler, which nodes are let go of, and what a trainer's status says to sizing."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import ray

from trainingrun.contract.records import Stall
from trainingrun_trainer.pool import autoscale
from trainingrun_trainer.pool.autoscale import NodeRequest, Sizer, fed, request_of
from trainingrun_trainer.pool.schedule import Schedule
from trainingrun_trainer.pool.sizing import Limits

_NODES = ["a", "b", "c", "d"]
_IDLE = Schedule(0).figures(0.0)


class Requests(NodeRequest):
    """Takes note of what is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, tuple[str, ...]]] = []

    def ask(self, nodes: int, leaving: Sequence[str]) -> None:
        self.asked.append((nodes, tuple(leaving)))

    def failing_seconds(self, now: float) -> float:
        return 0.0


def status(stall: float, *, seconds: float | None = 1.0) -> dict[str, object]:
    causes = {"Production": stall}
    recent = Stall(total_percent=stall, steady_percent=stall, causes=causes)
    return {"recent_seconds": seconds, "recent_rows_per_second": 50.0, "recent_stall": recent}


def worked(sizer: Sizer, seconds: int, *, stall: float, busy: float, nodes: int) -> None:
    for second in range(seconds):
        sizer.published(status(stall))
        pool = replace(_IDLE, worker_seconds=4.0 * nodes * second, busy_seconds=4.0 * busy * nodes * second)
        sizer.look(nodes, replace(pool, rows_made=50 * second, rows_taken=50 * second), float(second))


def test_each_bundle_is_a_whole_node_of_the_data_group() -> None:
    request = request_of(3, 4.0, [])
    assert request["resources"] == [{"CPU": 4.0}] * 3
    assert request["label_selectors"] == [{"ray-subcluster": "data"}] * 3


def test_a_node_that_is_let_go_of_does_not_count() -> None:
    request = request_of(1, 4.0, ["d", "c"])
    assert request["label_selectors"] == [{"ray-subcluster": "data", "ray.io/node-id": "!in(c,d)"}]


def test_a_status_says_what_trainers_ate_and_waited_for() -> None:
    sums = fed(status(40.0, seconds=2.0))
    assert (sums.rows, sums.seconds, sums.waited_seconds) == (100.0, 2.0, pytest.approx(0.8))
    assert sums.causes == {"Production": pytest.approx(0.8)}


def test_a_status_without_training_says_nothing() -> None:
    assert fed(status(40.0, seconds=None)).seconds == 0
    assert fed({}).rows == 0


@pytest.mark.parametrize("error", [ValueError(), ray.exceptions.GetTimeoutError(), TypeError()])
def test_what_keeps_the_request_from_being_taken_does_not_end_the_tries(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    # Nobody has made the actor; it does not answer; or it is of a Ray in which it takes other arguments.
    taken: list[dict[str, object]] = []
    coordinator = SimpleNamespace(request_resources=SimpleNamespace(remote=lambda **request: taken.append(request)))
    answers: list[object] = [error, error, coordinator]

    def actor(*_: object, **__: object) -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(autoscale, "ray", SimpleNamespace(get_actor=actor, get=lambda *_, **__: None))
    # Without its thread, which never ends.
    monkeypatch.setattr(autoscale, "threading", SimpleNamespace(Event=threading.Event, Thread=MagicMock()))
    request = NodeRequest(4.0)
    for tries in range(3):
        request._send(2, ["b"])
        assert (request.failing_seconds(time.monotonic()) > 0) == (tries < 2)
    assert taken == [request_of(2, 4.0, ["b"])]


def test_a_request_that_nobody_takes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = Requests()
    monkeypatch.setattr(requests, "failing_seconds", lambda now: 200.0)
    sizer = Sizer(Limits(1, 4, 5.0), requests)
    worked(sizer, 60, stall=60.0, busy=1.0, nodes=1)
    assert "does not take the request" in sizer.wanted.reason


def test_more_nodes_are_asked_for_and_used_once_they_are_there() -> None:
    requests = Requests()
    sizer = Sizer(Limits(1, 4, 5.0), requests)
    worked(sizer, 60, stall=60.0, busy=1.0, nodes=1)
    assert sizer.used(["a"]) == ["a"]
    assert requests.asked == [(2, ())]
    assert sizer.used(_NODES) == ["a", "b"]
    assert requests.asked[-1] == (2, ("c", "d"))


def test_without_an_autoscaler_all_nodes_are_used_and_none_asked_for() -> None:
    sizer = Sizer(Limits(1, 1, 5.0))
    worked(sizer, 60, stall=60.0, busy=1.0, nodes=1)
    assert sizer.used(_NODES) == _NODES
    assert "3 data nodes would be needed" in sizer.wanted.reason
