"""/healthz, /readyz and /metrics: what they answer, and what makes a replica not alive or not ready."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import virtual_time
from aiohttp.test_utils import TestClient, TestServer
from answering import Connection

from trainingrun.engine import health
from trainingrun.engine.assembly import Parts, assemble
from trainingrun.engine.metrics import Metrics
from trainingrun.engine.run import Operator
from trainingrun.engine.settings import Settings
from trainingrun.engine.watch_health import LIMIT_SECONDS, WATCH_SECONDS, Stream, Watches
from trainingrun.kube.resources import WATCHED

SETTINGS = Settings(lease_namespace="system")


def answers(alive: str | None, ready: str | None, path: str) -> tuple[int, str]:
    async def main() -> tuple[int, str]:
        app = health.application(Metrics(), (lambda: None, lambda: alive), (lambda: ready,))
        async with TestClient(TestServer(app)) as client, client.get(path) as answer:
            return answer.status, await answer.text()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("alive", "ready", "path", "expected"),
    [
        (None, None, "/healthz", (200, "ok")),
        (None, None, "/readyz", (200, "ok")),
        ("the loop is late", None, "/healthz", (503, "the loop is late")),
        ("the loop is late", None, "/readyz", (200, "ok")),
        (None, "no watch of pods", "/readyz", (503, "no watch of pods")),
        (None, "no watch of pods", "/healthz", (200, "ok")),
    ],
)
def test_a_probe_answers_with_what_is_wrong(
    alive: str | None, ready: str | None, path: str, expected: tuple[int, str]
) -> None:
    assert answers(alive, ready, path) == expected


def test_metrics_are_served_in_the_format_of_prometheus() -> None:
    status, text = answers(None, None, "/metrics")
    assert status == 200 and "# TYPE trainingrun_reconcile_total counter" in text


def test_a_loop_that_stands_still_is_not_alive_until_it_turns_again() -> None:
    async def main() -> tuple[str | None, str | None]:
        heart, loop = health.Heartbeat(), asyncio.get_running_loop()
        beating = asyncio.create_task(heart.keep(Metrics()))
        await asyncio.sleep(5)
        assert heart.check() is None
        loop.call_later(0.5, stand_still, loop)
        await asyncio.sleep(25.6)
        late = heart.check()
        await asyncio.sleep(5)
        beating.cancel()
        return late, heart.check()

    def stand_still(loop: asyncio.AbstractEventLoop) -> None:
        assert isinstance(loop, virtual_time.VirtualTimeLoop)
        loop._jumping.elapsed += 25

    late, afterwards = virtual_time.run(main())
    assert late is not None and "the event loop was 2" in late
    assert afterwards is None


@pytest.mark.parametrize(("seconds", "is_alive"), [(599, True), (601, False)])
def test_a_run_that_gets_no_turn_makes_the_operator_not_alive(seconds: float, is_alive: bool) -> None:
    assert (health.check_queue(seconds) is None) == is_alive


def readiness(script: Callable[[Operator, Parts], Awaitable[None]], settings: Settings = SETTINGS) -> None:
    async def main() -> None:
        parts = assemble(settings, Connection(), now=virtual_time.now, jitter=lambda: 1.0)
        await script(Operator(parts, None), parts)

    virtual_time.run(main())


async def connect(watches: Watches) -> None:
    for resource in WATCHED:
        watches.answered(resource.path(), is_watch=False)
        watches.answered(resource.path(), is_watch=True)


def test_a_replica_is_not_ready_before_it_has_read_the_lease() -> None:
    async def script(operator: Operator, parts: Parts) -> None:
        assert operator._check_ready() == "the Lease has not been read yet"

    readiness(script)


def test_a_replica_that_waits_for_its_turn_is_ready() -> None:
    async def script(operator: Operator, parts: Parts) -> None:
        assert parts.lease is not None
        parts.lease.is_known = True
        assert operator._check_ready() is None

    readiness(script)


def test_a_leader_is_ready_when_its_watches_are_alive_and_not_when_one_is_stale() -> None:
    async def script(operator: Operator, parts: Parts) -> None:
        assert operator._check_ready() == "the operator has not discovered its kinds yet"
        operator._kinds.problem = None
        assert operator._check_ready() == "the first lists are not complete"
        await connect(parts.watches)
        operator._began.set()
        assert operator._check_ready() is None
        await asyncio.sleep(LIMIT_SECONDS)
        assert operator._check_ready() is None
        await asyncio.sleep(1)
        assert operator._check_ready() == "no watch of trainingruns is known to be alive"
        for resource in WATCHED[:-1]:
            parts.watches.answered(resource.path(), is_watch=True)
        assert operator._check_ready() == "no watch of pods is known to be alive"

    readiness(script, replace(SETTINGS, leader_election=False))


def test_a_kind_that_is_not_installed_is_told() -> None:
    async def script(operator: Operator, parts: Parts) -> None:
        operator._kinds.problem = "rayjobs.ray.io (ray.io/v1) is not installed in the cluster"
        assert operator._check_ready() == operator._kinds.problem

    readiness(script, replace(SETTINGS, leader_election=False))


def test_the_limit_of_a_watch_is_longer_than_any_watch_lasts() -> None:
    assert LIMIT_SECONDS > WATCH_SECONDS + 60


def watched(script: Callable[[Watches, list[float]], Awaitable[None]]) -> list[float]:
    async def main() -> list[float]:
        lists: list[float] = []
        clock = asyncio.get_running_loop().time
        await script(Watches(WATCHED[:2], (None, "team"), lambda: lists.append(clock())), lists)
        return lists

    return virtual_time.run(main())


RUNS, TEAM = "/apis/trainingrun.dev/v1beta1/trainingruns", "/apis/ray.io/v1/namespaces/team/rayjobs"
ALL = [RUNS, "/apis/ray.io/v1/rayjobs", "/apis/trainingrun.dev/v1beta1/namespaces/team/trainingruns", TEAM]


def test_the_watches_are_there_when_all_of_them_have_connected() -> None:
    async def script(watches: Watches, lists: list[float]) -> None:
        waiting = asyncio.create_task(watches.wait())
        for path in ALL:
            await asyncio.sleep(1)
            assert not waiting.done()
            watches.answered(path, is_watch=True)
        await waiting
        assert watches.stale() == [] and watches.age("rayjobs") == 2.0

    watched(script)


def test_a_list_after_the_first_one_may_have_missed_deletions() -> None:
    async def script(watches: Watches, lists: list[float]) -> None:
        for path in ALL:
            watches.answered(path, is_watch=False)
            watches.answered(path, is_watch=True)
        assert lists == []
        await asyncio.sleep(60)
        watches.answered(TEAM, is_watch=True)
        assert lists == []
        watches.answered(TEAM, is_watch=False)
        assert lists == []
        watches.answered(TEAM, is_watch=True)

    assert watched(script) == [60.0]


def test_a_watch_in_one_namespace_is_not_that_of_another() -> None:
    async def script(watches: Watches, lists: list[float]) -> None:
        watches.answered(TEAM, is_watch=True)
        assert Stream("rayjobs", None) in watches.stale() and Stream("rayjobs", "team") not in watches.stale()
        assert watches.age("rayjobs") == float("inf")
        watches.answered("/apis/ray.io/v1/namespaces/other/rayjobs", is_watch=True)
        watches.answered("/version", is_watch=False)

    watched(script)
