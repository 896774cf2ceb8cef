"""A decision that gives an attempt up by what a cache shows is made again by what the API server shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import virtual_time
from answering import NAMESPACE, Connection, child_body, run_body

from trainingrun.engine.cache import Cache
from trainingrun.engine.fresh_read import read_afresh
from trainingrun.engine.keys import Key
from trainingrun.engine.reconcile import Reconciler
from trainingrun.kube import Api
from trainingrun.kube.resources import TRAINING_RUNS as RUNS
from trainingrun.naming import ray_job_name

KEY = Key(NAMESPACE, "mnist")
PAST = datetime(2026, 9, 1, tzinfo=UTC)


class Bench:
    """A run whose RayJob is gone from the cache, as after losing its label, and trains all the same."""

    def __init__(self) -> None:
        self.connection, self.cache = Connection(), Cache()
        server = self.connection.server
        run = server.create("trainingruns", NAMESPACE, run_body())
        self.uid = str(run["metadata"]["uid"])
        self.name = ray_job_name("mnist", self.uid, 0)
        body = child_body(self.name, owner=self.uid, jobStatus="RUNNING", jobDeploymentStatus="Running")
        self.job = server.create("rayjobs", NAMESPACE, {**body, "metadata": {**body["metadata"], "labels": {}}})
        job_uid = self.job["metadata"]["uid"]
        attempt = {"index": 0, "outcome": "Running", "rayJobName": self.name, "rayJobUID": job_uid, "admitted": True}
        times = {"since": "2026-09-01T00:00:00Z", "until": "2026-09-01T00:00:30Z"}
        suspected = {"attempt": 0, "failureClass": "Infrastructure", **times}
        status = {"attempts": [attempt], "suspected": suspected}
        self.cache.put("TrainingRun", server.update("trainingruns", run, status=status))
        self.cache.forget("RayJob", self.job)

    async def reconcile(self) -> dict[str, Any]:
        api: Any = Api(self.connection)
        nobody: Any = None
        events: Any = type("Events", (), {"post": lambda *_: None})()
        reconciler = Reconciler(api, self.cache, nobody, events, lambda: PAST + timedelta(minutes=1))
        await reconciler.reconcile(KEY)
        status: dict[str, Any] = (await api.get(RUNS, NAMESPACE, "mnist"))["status"]
        return status


def play(script: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        await script(Bench())

    virtual_time.run(main())


def test_a_ray_job_that_lost_its_label_is_not_given_up() -> None:
    async def script(bench: Bench) -> None:
        status = await bench.reconcile()
        assert status["attempts"][0]["outcome"] == "Running"
        assert bench.connection.paths("DELETE") == []

    play(script)


def test_a_ray_job_that_is_really_gone_is_given_up() -> None:
    async def script(bench: Bench) -> None:
        bench.connection.server.finish("rayjobs", bench.job)
        assert (await bench.reconcile())["attempts"][0]["failureClass"] == "Infrastructure"

    play(script)


@pytest.mark.parametrize("is_there", [True, False])
def test_the_cache_shows_what_is_there(is_there: bool) -> None:
    async def script(bench: Bench) -> None:
        pod = bench.connection.server.create("pods", NAMESPACE, child_body("head", run_uid=bench.uid))
        if is_there:
            bench.cache.forget("Pod", child_body("another"))
        else:
            bench.cache.put("Pod", pod)
            bench.connection.server.finish("pods", pod)
        run = bench.cache.run(KEY)
        assert run is not None
        await read_afresh(Api(bench.connection), bench.cache, run, bench.name)
        assert [pod.name for pod in bench.cache.observed(bench.uid).pods] == (["head"] if is_there else [])

    play(script)
