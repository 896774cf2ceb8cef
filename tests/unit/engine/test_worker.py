"""What follows from a look at a run: when it comes back, what is counted, what is logged, and what ends the worker."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import virtual_time
from answering import NAMESPACE, run_body

from trainingrun.engine.cache import Cache
from trainingrun.engine.keys import Key
from trainingrun.engine.lease import LeadershipLost
from trainingrun.engine.metrics import Metrics
from trainingrun.engine.queue import WorkQueue
from trainingrun.engine.reconcile import Outcome, Result
from trainingrun.engine.worker import Worker
from trainingrun.kube import Conflict, Rejected, Transient

KEY = Key(NAMESPACE, "mnist")


class Looks:
    """A reconciler that gives these results one after the other, the last one for ever."""

    def __init__(self, metrics: Metrics, results: list[Any]):
        self._metrics = metrics
        self._results = results
        self.times: list[float] = []

    async def reconcile(self, key: Key) -> Outcome:
        self.times.append(asyncio.get_running_loop().time())
        result = self._results.pop(0) if len(self._results) > 1 else self._results[0]
        self._metrics.observe_request("get", "pods", 200)
        if isinstance(result, Exception):
            raise result
        if result is None:
            await asyncio.sleep(10_000)
        assert isinstance(result, Outcome)
        return result


def play(*results: Any, seconds: float = 100.0) -> tuple[list[float], Metrics]:
    """When the run is looked at within so long."""

    async def main() -> tuple[list[float], Metrics]:
        queue: WorkQueue[Key] = WorkQueue(lambda: 1.0)
        cache, metrics = Cache(), Metrics()
        cache.put("TrainingRun", run_body(attempts=[{"index": 3}]))
        looks = Looks(metrics, list(results))
        worker = Worker(looks, cache, queue, metrics)  # type: ignore[arg-type]
        task = asyncio.create_task(queue.work(worker.look))
        queue.add(KEY)
        await asyncio.sleep(seconds)
        if task.done():
            task.result()
        task.cancel()
        return looks.times, metrics

    return virtual_time.run(main())


DONE = Outcome(Result.UNCHANGED)
WRITTEN = Outcome(Result.WRITTEN)


@pytest.mark.parametrize(
    ("results", "times"),
    [
        ((DONE,), [0]),
        ((Outcome(Result.GONE),), [0]),
        ((Outcome(Result.UNCHANGED, 30), DONE), [0, 30]),
        ((WRITTEN, DONE), [0, 0]),
        ((Outcome(Result.WRITTEN, 30), DONE), [0, 0, 30]),
        ((Conflict("changed"), DONE), [0, 0.5]),
        ((Rejected("invalid"), Rejected("invalid"), DONE), [0, 0.5, 1.5]),
        ((Transient("busy", retry_after=7), DONE), [0, 7]),
        ((RuntimeError("a bug"), DONE), [0, 0.5]),
    ],
)
def test_when_a_run_is_looked_at_again(results: tuple[Any, ...], times: list[float]) -> None:
    assert play(*results)[0] == times


def test_a_run_that_never_settles_is_looked_at_ever_more_seldom() -> None:
    times, _ = play(WRITTEN)
    assert times[:9] == [0.0] * 9 and len(times) < 20
    assert times[-1] - times[-2] > 10


def test_a_look_that_hangs_is_given_up() -> None:
    times, metrics = play(None, DONE, seconds=400)
    assert times == [0, 240.5]
    assert metrics.registry.get_sample_value("trainingrun_retries_total") == 1


def test_a_replica_that_does_not_lead_any_more_stops_working() -> None:
    with pytest.raises(LeadershipLost):
        play(LeadershipLost("not renewed"))


@pytest.mark.parametrize(
    ("result", "name"),
    [(DONE, "unchanged"), (WRITTEN, "written"), (Conflict("changed"), "failed"), (RuntimeError("a bug"), "bug")],
)
def test_each_look_is_counted_by_its_result(result: Any, name: str) -> None:
    _, metrics = play(result, DONE, seconds=0.1)
    assert metrics.registry.get_sample_value("trainingrun_reconcile_total", {"result": name}) == 1


def test_a_result_that_has_not_been_yet_is_counted_as_none() -> None:
    """Its first count would be no increase otherwise, and no alert."""
    _, metrics = play(DONE, seconds=0.1)
    for result in ("gone", "written", "failed", "bug"):
        assert metrics.registry.get_sample_value("trainingrun_reconcile_total", {"result": result}) == 0


def test_a_look_is_logged_with_the_fields_that_a_search_needs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "trainingrun.engine.worker"):
        play(Conflict("changed"), DONE, seconds=0.1)
    (record,) = [record for record in caplog.records if record.message == "reconciled"]
    logged = vars(record)
    assert {"run": "training/mnist", "uid": "run-1", "generation": 1, "attempt": 3, "result": "failed"}.items() <= (
        logged.items()
    )
    assert (logged["calls"], logged["retryInSeconds"], logged["error"]) == (1, 0.5, "changed")


def test_a_bug_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    play(RuntimeError("a bug"), DONE, seconds=0.1)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None and record.exc_info[0] is RuntimeError
