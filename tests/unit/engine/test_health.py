"""/healthz, /readyz and /metrics: what they answer, and what makes a replica not alive or not ready."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import virtual_time
from aiohttp.test_utils import TestClient, TestServer
from answering import Connection

from trainingrun.engine import health
from trainingrun.engine.assembly import Parts, assemble
from trainingrun.engine.informer import LIMIT_SECONDS
from trainingrun.engine.metrics import Metrics
from trainingrun.engine.run import Operator
from trainingrun.engine.settings import Settings
from trainingrun.kube.transport import Response

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


def test_readiness_tells_what_is_wrong_although_it_is_ready() -> None:
    async def main() -> tuple[int, str]:
        app = health.application(Metrics(), (), (), lambda: ["namespace b is not served"])
        async with TestClient(TestServer(app)) as client, client.get("/readyz") as answer:
            return answer.status, await answer.text()

    assert asyncio.run(main()) == (200, "ok\nnamespace b is not served")


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
def test_work_that_does_not_move_makes_the_operator_not_alive(seconds: float, is_alive: bool) -> None:
    assert (health.check_work(seconds) is None) == is_alive


def readiness(script: Callable[[Operator, Parts, Connection], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        connection = Connection()
        parts = assemble(replace(SETTINGS, **settings), connection, now=virtual_time.now, jitter=lambda: 1.0)
        await script(Operator(parts, None), parts, connection)

    virtual_time.run(main())


def test_a_replica_is_not_ready_before_it_has_read_the_lease() -> None:
    async def script(operator: Operator, parts: Parts, connection: Connection) -> None:
        assert operator._check_ready() == "the Lease has not been read yet"

    readiness(script)


def test_a_replica_that_waits_for_its_turn_is_ready() -> None:
    async def script(operator: Operator, parts: Parts, connection: Connection) -> None:
        assert parts.lease is not None
        parts.lease.is_known = True
        assert operator._check_ready() is None

    readiness(script)


def test_a_leader_is_ready_when_its_watches_are_alive_and_not_when_one_is_stale() -> None:
    async def script(operator: Operator, parts: Parts, connection: Connection) -> None:
        assert operator._check_ready() == "trainingruns have not been listed yet"
        keeping = asyncio.create_task(parts.informers.keep())
        await parts.informers.wait()
        await asyncio.sleep(1)
        assert operator._check_ready() is None
        connection.meddle = lambda request: Response(503, {}, b"") if "pods" in request.path else None
        await asyncio.sleep(LIMIT_SECONDS)
        assert operator._check_ready() == "no watch of pods is known to be alive"
        keeping.cancel()

    readiness(script, leader_election=False)


def test_a_kind_that_is_not_installed_is_told() -> None:
    async def script(operator: Operator, parts: Parts, connection: Connection) -> None:
        connection.meddle = lambda request: Response(404, {}, b"") if "rayjobs" in request.path else None
        keeping = asyncio.create_task(parts.informers.keep())
        await asyncio.sleep(1)
        assert operator._check_ready() == "rayjobs.ray.io (ray.io/v1) is not installed in the cluster"
        keeping.cancel()

    readiness(script, leader_election=False)


def test_of_several_namespaces_one_that_is_not_served_is_told_and_harms_nobody() -> None:
    async def script(operator: Operator, parts: Parts, connection: Connection) -> None:
        connection.meddle = lambda request: Response(403, {}, b"") if "/b/" in request.path else None
        keeping = asyncio.create_task(parts.informers.keep())
        await parts.informers.wait()
        await asyncio.sleep(1)
        assert operator._check_ready() is None
        (note,) = operator._notes()
        assert note.startswith("namespace b is not served: the operator may not list trainingruns")
        keeping.cancel()

    readiness(script, leader_election=False, namespaces=("a", "b"))
