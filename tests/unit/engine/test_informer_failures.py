"""What an informer makes of watches that fail, lists that are refused or old, and bodies that nobody can read."""

from __future__ import annotations

import asyncio
import json

import pytest
from answering import NAMESPACE
from informer_bench import OURS, Bench, error, play, watched

from trainingrun.engine.informer import WentBack
from trainingrun.kube import Expired, Transient
from trainingrun.kube.transport import Response


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
