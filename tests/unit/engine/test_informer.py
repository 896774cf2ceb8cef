"""One kind in step with the API server: lists replace in one step, watches go on, and not everything is believed."""

from __future__ import annotations

import asyncio

import pytest
from informer_bench import Bench, at_version, error, play, watched

from trainingrun.engine import informer as informer_module
from trainingrun.engine.informer import WATCH_SECONDS
from trainingrun.kube import Expired
from trainingrun.kube.transport import Request, Response


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
