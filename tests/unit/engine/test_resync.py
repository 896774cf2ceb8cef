"""Comparing the cache with lists: what it finds, when it runs, and when it must not be believed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import virtual_time
from answering import NAMESPACE, Connection, run_body
from server import Server

from trainingrun.engine.cache import Cache, Key
from trainingrun.engine.intake import Intake
from trainingrun.engine.metrics import Metrics
from trainingrun.engine.queue import WorkQueue
from trainingrun.engine.resync import Resync, WentBack
from trainingrun.kube import Api, Expired, Transient
from trainingrun.kube.transport import Request, Response

KEY = Key(NAMESPACE, "mnist")
KINDS = ["trainingruns", "rayjobs", "rayclusters", "pods"]


class Bench:
    """A resync with all that it needs, on an API server that has one run."""

    def __init__(self, namespaces: tuple[str | None, ...] = (None,)) -> None:
        self.connection = Connection()
        self.server: Server = self.connection.server
        self.server.create("trainingruns", NAMESPACE, run_body())
        self.cache, self.metrics = Cache(), Metrics()
        self.queue: WorkQueue[Key] = WorkQueue(lambda: 1.0)
        self.intake = Intake(self.cache, self.queue)
        self.resync = Resync(Api(self.connection), self.cache, self.intake, self.metrics, namespaces)

    def repairs(self) -> float | None:
        return self.metrics.registry.get_sample_value("trainingrun_resync_repairs_total")

    def lists(self) -> int:
        return len(self.connection.paths("GET"))

    def pod(self, name: str) -> dict[str, Any]:
        labels = {"app.kubernetes.io/managed-by": "trainingrun-operator"}
        return self.server.create("pods", NAMESPACE, {"metadata": {"name": name, "labels": labels}})

    def know_of(self, kind: str, version: int) -> None:
        """Have seen a change that the API server does not know of."""
        body = {"metadata": {"namespace": NAMESPACE, "name": "x", "uid": "x", "resourceVersion": str(version)}}
        self.intake.take(kind, "ADDED", body)


def play(script: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        await script(Bench())

    virtual_time.run(main())


def test_runs_are_listed_before_their_children() -> None:
    async def script(bench: Bench) -> None:
        await bench.resync.run()
        assert [path.rsplit("/", 1)[1] for path in bench.connection.paths("GET")] == KINDS

    play(script)


def test_only_what_belongs_to_the_operator_is_listed_of_other_kinds() -> None:
    async def script(bench: Bench) -> None:
        await bench.resync.run()
        selectors = [request.query.get("labelSelector", "") for _, request in bench.connection.sent]
        assert selectors == ["", *["app.kubernetes.io/managed-by=trainingrun-operator"] * 3]

    play(script)


def test_each_namespace_that_is_served_is_listed_by_itself() -> None:
    async def main() -> None:
        bench = Bench(("a", "b"))
        await bench.resync.run()
        assert [path for path in bench.connection.paths("GET") if path.endswith("/pods")] == [
            "/api/v1/namespaces/a/pods",
            "/api/v1/namespaces/b/pods",
        ]

    virtual_time.run(main())


def test_what_no_watch_has_told_is_found_and_counted() -> None:
    async def script(bench: Bench) -> None:
        await bench.resync.run()
        assert bench.queue.depth() == 1
        run = bench.server.find("trainingruns", NAMESPACE, "mnist")
        assert run is not None
        bench.server.update("trainingruns", run, status={"state": "Running"})
        assert await bench.resync.run() == 1 and bench.repairs() == 1

    play(script)


def test_the_first_one_repairs_nothing() -> None:
    async def script(bench: Bench) -> None:
        assert await bench.resync.run() == 1 and bench.repairs() == 0
        assert await bench.resync.run() == 0 and bench.repairs() == 0

    play(script)


def test_a_deletion_that_no_watch_has_told_is_found() -> None:
    async def script(bench: Bench) -> None:
        gone = bench.pod("gone")
        await bench.resync.run()
        assert bench.cache.sizes()["Pod"] == 1
        bench.server.delete("pods", gone)
        await bench.resync.run()
        assert bench.cache.sizes()["Pod"] == 0

    play(script)


def test_what_appears_while_the_list_is_on_its_way_is_not_taken_for_gone() -> None:
    async def script(bench: Bench) -> None:
        listed = bench.server.copy()

        def from_before(request: Request) -> Response:
            return listed.handle(request)

        bench.connection.meddle = from_before
        task = asyncio.create_task(bench.resync.run())
        await asyncio.sleep(0.035)
        bench.intake.take("Pod", "ADDED", bench.pod("young"))
        await task
        assert bench.cache.sizes()["Pod"] == 1

    play(script)


def test_a_list_from_the_past_is_not_believed() -> None:
    async def script(bench: Bench) -> None:
        bench.know_of("RayJob", 900)
        with pytest.raises(Expired):
            await bench.resync.run()
        assert bench.cache.sizes()["RayJob"] == 1

    play(script)


@pytest.mark.parametrize("kind", ["TrainingRun", "RayJob", "Pod"])
def test_a_server_that_went_back_ends_the_process_whichever_kind_shows_it(kind: str) -> None:
    async def script(bench: Bench) -> None:
        bench.know_of(kind, 900)
        with pytest.raises(WentBack):
            await bench.resync.keep(600, lambda: 1.0)

    play(script)


def test_lists_from_the_past_now_and_then_end_nothing() -> None:
    async def script(bench: Bench) -> None:
        for number in range(5):
            bench.know_of("Pod", 900 + 200 * number)
            for _ in range(2):
                with pytest.raises(Expired):
                    await bench.resync.run()
            bench.server.version = 1000 + 200 * number
            await bench.resync.run()

    play(script)


def keeping(seconds: float, script: Callable[[Bench], None] = lambda bench: None) -> tuple[Bench, list[float]]:
    """Keep in step for so long; gives when runs were listed."""

    async def main() -> tuple[Bench, list[float]]:
        bench = Bench()
        script(bench)
        task = asyncio.create_task(bench.resync.keep(600, lambda: 1.0))
        await asyncio.sleep(seconds)
        task.cancel()
        times = [round(time) for time, request in bench.connection.sent if request.path.endswith("trainingruns")]
        return bench, [float(time) for time in times]

    return virtual_time.run(main())


def test_it_runs_every_interval() -> None:
    assert keeping(1900)[1] == [600, 1200, 1800]


def test_it_runs_soon_after_it_was_wanted() -> None:
    def script(bench: Bench) -> None:
        asyncio.get_running_loop().call_later(100, bench.resync.want)

    assert keeping(750, script)[1] == [100, 700]


def test_it_is_repeated_with_growing_pauses_while_the_server_is_away() -> None:
    def script(bench: Bench) -> None:
        def away(request: Request) -> None:
            raise Transient("connection refused")

        bench.connection.meddle = away

    assert keeping(920, script)[1] == [600, 602, 606, 614, 630, 662, 726, 846]


def test_the_first_one_is_repeated_until_it_succeeds() -> None:
    async def script(bench: Bench) -> None:
        def away(request: Request) -> None:
            if asyncio.get_running_loop().time() < 100:
                raise Transient("connection refused")

        bench.connection.meddle = away
        await bench.resync.first(lambda: 1.0)
        assert bench.cache.run(KEY) is not None

    play(script)
