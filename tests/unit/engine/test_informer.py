"""One kind in step with the API server: lists replace in one step, watches go on, and not everything is believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import virtual_time
from answering import NAMESPACE, Connection, run_body

from trainingrun.engine import informer as informer_module
from trainingrun.engine.cache import Cache, Key
from trainingrun.engine.informer import WATCH_SECONDS, Informer, WentBack
from trainingrun.engine.intake import Intake
from trainingrun.engine.queue import WorkQueue
from trainingrun.kube import Api, Expired, Transient
from trainingrun.kube.resources import PODS, TRAINING_RUNS
from trainingrun.kube.transport import Request, Response

KEY = Key(NAMESPACE, "mnist")
OURS = {"app.kubernetes.io/managed-by": "trainingrun-operator", "trainingrun.dev/run-uid": "trainingruns-1"}
FOREVER = 1e6


class Bench:
    """The informers of runs and pods, with all that they need, on an API server that has one run."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.connection.lines = self._lines
        self.server = self.connection.server
        self.server.create("trainingruns", NAMESPACE, run_body())
        self.cache = Cache()
        self.queue: WorkQueue[Key] = WorkQueue(lambda: 1.0)
        self.intake = Intake(self.cache, self.queue)
        self.sights = 0
        self.runs, self.pods = (
            Informer(Api(self.connection), self.intake, resource, None, lambda: 1.0, self._on_sight)
            for resource in (TRAINING_RUNS, PODS)
        )
        # What each watch of pods tells, and after how many seconds; the last one is the one that stays.
        self.told: list[list[tuple[float, Any]]] = []

    def _on_sight(self) -> None:
        self.sights += 1

    async def _lines(self, request: Request) -> AsyncIterator[bytes]:
        for pause, line in self.told.pop(0) if self.told else [(FOREVER, None)]:
            await asyncio.sleep(pause)
            if isinstance(line, Exception):
                raise line
            yield line if isinstance(line, bytes) else json.dumps(line).encode()

    def pod(self, name: str) -> dict[str, Any]:
        return self.server.create("pods", NAMESPACE, {"metadata": {"name": name, "labels": OURS}})

    def names(self) -> list[str]:
        return [pod.name for pod in self.cache.observed("trainingruns-1").pods]

    def lists(self) -> list[float]:
        """When pods were listed from the start."""
        return [round(time) for time, request in self._of_pods() if "watch" not in request.query]

    def watches(self) -> list[tuple[float, str]]:
        """When pods were watched, and from which version."""
        watches = [(time, request.query) for time, request in self._of_pods() if "watch" in request.query]
        return [(round(time), query["resourceVersion"]) for time, query in watches]

    def _of_pods(self) -> list[tuple[float, Request]]:
        return [(time, request) for time, request in self.connection.sent if request.path.endswith("/pods")]

    def know_of(self, kind: str, version: int) -> None:
        """Have seen a change that the API server does not know of."""
        body = {"metadata": {"namespace": NAMESPACE, "name": "x", "uid": "x", "resourceVersion": str(version)}}
        self.intake.take(kind, "ADDED", body)


def play(script: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        bench = Bench()
        await bench.runs.refresh()
        await script(bench)

    virtual_time.run(main())


def watched(bench: Bench) -> asyncio.Task[None]:
    return asyncio.create_task(bench.pods.keep())


def at_version(version: int, kind: str = "BOOKMARK") -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": {"resourceVersion": str(version)}}}


def error(code: int) -> dict[str, Any]:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "message": "no", "reason": "No"}}


def test_only_what_belongs_to_the_operator_is_asked_for() -> None:
    async def script(bench: Bench) -> None:
        keeping = watched(bench)
        await asyncio.sleep(1)
        selectors = [request.query.get("labelSelector", "") for _, request in bench.connection.sent]
        assert selectors == ["", *["app.kubernetes.io/managed-by=trainingrun-operator"] * 2]
        keeping.cancel()

    play(script)


def test_a_list_of_several_pages_is_seen_in_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod has been replaced while nobody watched: never are both there."""
    monkeypatch.setattr(informer_module, "_PAGE", 2)

    async def script(bench: Bench) -> None:
        old = bench.pod("old")
        await bench.pods.refresh()
        bench.server.delete("pods", old)
        for number in range(6):
            bench.pod(f"new-{number}")
        refreshing = asyncio.create_task(bench.pods.refresh())
        seen = set()
        while not refreshing.done():
            seen.add(tuple(bench.names()))
            await asyncio.sleep(0.001)
        seen.add(tuple(bench.names()))
        assert seen == {("old",), tuple(f"new-{number}" for number in range(6))}

    play(script)


def test_a_list_that_breaks_off_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer_module, "_PAGE", 2)

    async def script(bench: Bench) -> None:
        bench.server.delete("pods", bench.pod("old"))
        await bench.pods.refresh()
        for number in range(6):
            bench.pod(f"new-{number}")

        def breaks_off(request: Request) -> Response | None:
            return Response(410, {}, b"") if "continue" in request.query else None

        bench.connection.meddle = breaks_off
        with pytest.raises(Expired):
            await bench.pods.refresh()
        assert bench.names() == []

    play(script)


def test_what_appears_while_the_list_is_on_its_way_is_not_taken_for_gone() -> None:
    async def script(bench: Bench) -> None:
        listed = bench.server.copy()
        bench.connection.meddle = lambda request: listed.handle(request)
        refreshing = asyncio.create_task(bench.pods.refresh())
        await asyncio.sleep(0.005)
        bench.intake.take("Pod", "ADDED", bench.pod("young"))
        await refreshing
        assert bench.names() == ["young"]

    play(script)


def test_a_watch_goes_on_where_the_list_and_the_watch_before_it_ended() -> None:
    async def script(bench: Bench) -> None:
        pod = bench.pod("young")
        version = bench.server.version
        later = {**pod, "metadata": {**pod["metadata"], "resourceVersion": str(version + 5)}}
        gone = {"type": "DELETED", "object": later}
        bench.told = [[(10, at_version(version + 3)), (10, gone), (270, at_version(version + 9))]]
        keeping = watched(bench)
        await asyncio.sleep(15)
        assert bench.names() == ["young"]
        await asyncio.sleep(300)
        assert bench.names() == []
        assert bench.watches() == [(0, str(version)), (290, str(version + 9))]
        assert bench.lists() == [0]
        keeping.cancel()

    play(script)


def test_a_watch_is_asked_to_end_in_time_and_not_to_be_silent_for_long() -> None:
    async def script(bench: Bench) -> None:
        keeping = watched(bench)
        await asyncio.sleep(1)
        (request,) = [request for _, request in bench.connection.sent if "watch" in request.query]
        assert request.query["timeoutSeconds"] == str(WATCH_SECONDS)
        assert request.query["allowWatchBookmarks"] == "true"
        assert request.silence is not None and 60 < request.silence < WATCH_SECONDS
        keeping.cancel()

    play(script)


def test_a_version_that_is_too_old_has_everything_listed_anew() -> None:
    async def script(bench: Bench) -> None:
        pod = bench.pod("old")
        bench.told = [[(20, error(410))]]
        keeping = watched(bench)
        await asyncio.sleep(10)
        bench.server.delete("pods", pod)
        assert bench.names() == ["old"]
        await asyncio.sleep(15)
        assert bench.names() == [] and bench.lists() == [0, 21]
        assert bench.watches()[-1] == (21, str(bench.server.version))
        keeping.cancel()

    play(script)


def test_a_connection_that_is_cut_is_made_again_with_growing_pauses_and_without_a_list() -> None:
    async def script(bench: Bench) -> None:
        bench.told = [[(0.5, Transient("cut"))]] * 4
        keeping = watched(bench)
        await asyncio.sleep(30)
        assert [time for time, _ in bench.watches()] == [0, 2, 4, 9, 17]
        assert bench.lists() == [0] and bench.pods.problem is None
        keeping.cancel()

    play(script)


def test_a_watch_that_ends_in_the_middle_of_an_object_is_made_again() -> None:
    async def script(bench: Bench) -> None:
        bench.told = [[(20, b'{"type": "MODIF')]]
        keeping = watched(bench)
        await asyncio.sleep(30)
        assert len(bench.watches()) == 2 and bench.lists() == [0]
        keeping.cancel()

    play(script)


def test_a_watch_that_never_succeeds_has_everything_listed_anew() -> None:
    async def script(bench: Bench) -> None:
        bench.told = [[(0.0, error(500))]] * 6
        keeping = watched(bench)
        await asyncio.sleep(120)
        assert len(bench.lists()) == 2
        keeping.cancel()

    play(script)


def test_a_watch_that_ends_at_once_is_not_asked_for_all_the_time() -> None:
    async def script(bench: Bench) -> None:
        bench.told = [[]] * 1000
        keeping = watched(bench)
        await asyncio.sleep(60)
        assert len(bench.watches()) <= 61
        keeping.cancel()

    play(script)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (404, "pods. (v1) is not installed in the cluster"),
        (403, "the operator may not list pods: no"),
        (503, "the API server cannot list pods: no"),
    ],
)
def test_what_cannot_be_listed_is_told_and_tried_until_it_can(code: int, words: str) -> None:
    async def script(bench: Bench) -> None:
        body = json.dumps({"kind": "Status", "message": "no"}).encode()
        bench.connection.meddle = lambda request: Response(code, {}, body)
        listing = asyncio.create_task(bench.pods.refresh_until_it_succeeds())
        await asyncio.sleep(200)
        assert bench.pods.problem == words and not listing.done()
        assert bench.lists()[:5] == [0, 1, 3, 7, 15] and bench.lists()[-1] - bench.lists()[-2] == 30
        bench.connection.meddle = lambda request: None
        await listing
        assert bench.pods.problem is None and bench.sights == 2

    play(script)


def test_a_right_that_is_taken_and_given_back_has_everything_listed_anew() -> None:
    async def script(bench: Bench) -> None:
        bench.told = [[(20, error(403))]]
        keeping = watched(bench)
        await asyncio.sleep(20.5)
        assert bench.pods.problem == "the operator may not list pods: no"
        await asyncio.sleep(10)
        assert bench.pods.problem is None and len(bench.lists()) == 2
        keeping.cancel()

    play(script)


def test_the_api_server_says_when_to_come_again() -> None:
    async def script(bench: Bench) -> None:
        bench.connection.meddle = lambda request: Response(429, {"Retry-After": "25"}, b"")
        listing = asyncio.create_task(bench.pods.refresh_until_it_succeeds())
        await asyncio.sleep(60)
        assert bench.lists() == [0, 25, 50]
        listing.cancel()

    play(script)


def test_an_object_that_nobody_can_read_stops_no_other() -> None:
    async def script(bench: Bench) -> None:
        bench.server.create("pods", NAMESPACE, {"metadata": {"name": "odd", "labels": OURS}, "spec": 7, "status": 7})
        bench.pod("even")
        await bench.pods.refresh()
        assert "even" in bench.names()

    play(script)


def test_a_list_from_the_past_is_not_believed() -> None:
    async def script(bench: Bench) -> None:
        bench.know_of("Pod", 900)
        with pytest.raises(Expired):
            await bench.pods.refresh()
        assert bench.cache.sizes()["Pod"] == 1

    play(script)


def test_a_server_that_went_back_ends_the_process() -> None:
    async def script(bench: Bench) -> None:
        bench.know_of("Pod", 900)
        with pytest.raises(WentBack):
            await bench.pods.keep()

    play(script)


def test_lists_from_the_past_now_and_then_end_nothing() -> None:
    async def script(bench: Bench) -> None:
        for number in range(5):
            bench.know_of("Pod", 900 + 200 * number)
            for _ in range(2):
                with pytest.raises(Expired):
                    await bench.pods.refresh()
            bench.server.version = 1000 + 200 * number
            await bench.pods.refresh()

    play(script)
