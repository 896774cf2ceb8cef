"""Every namespace is served by itself: what is wrong with one holds up no other, and nothing is half known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import virtual_time
from answering import Connection, run_body

from trainingrun.engine.assembly import Parts, assemble
from trainingrun.engine.informer import LIMIT_SECONDS, WATCH_SECONDS
from trainingrun.engine.keys import Key
from trainingrun.engine.settings import Settings
from trainingrun.kube import ApiError, Transient
from trainingrun.kube.transport import Request, Response

KINDS = ["trainingruns", "rayjobs", "rayclusters", "pods"]
FORBIDDEN = Response(403, {}, b'{"kind": "Status", "message": "no"}')
Script = Callable[[Parts, Connection], Coroutine[Any, Any, None]]


def play(script: Script, *namespaces: str) -> None:
    async def main() -> None:
        connection = Connection()
        for namespace in namespaces or ("team",):
            body = run_body("mnist", namespace)
            body["metadata"]["namespace"] = namespace
            connection.server.create("trainingruns", namespace, body)
        settings = Settings(leader_election=False, namespaces=namespaces)
        await script(assemble(settings, connection, now=virtual_time.now, jitter=lambda: 1.0), connection)

    virtual_time.run(main())


def plurals(connection: Connection) -> list[str]:
    return [path.rsplit("/", 1)[1] for path in connection.paths("GET")]


def forbid(namespace: str, plural: str = "") -> Callable[[Request], Response | None]:
    def meddle(request: Request) -> Response | None:
        return FORBIDDEN if f"/{namespace}/{plural}" in request.path else None

    return meddle


def test_runtimes_are_listed_before_runs_and_these_before_their_children() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        await parts.informers.first()
        assert plurals(connection) == ["trainingruntimes", "clustertrainingruntimes", *KINDS]

    play(script)


def test_each_namespace_that_is_served_is_listed_by_itself() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        await parts.informers.first()
        pods = [path for path in connection.paths("GET") if path.endswith("/pods")]
        assert pods == ["/api/v1/namespaces/a/pods", "/api/v1/namespaces/b/pods"]

    play(script, "a", "b")


def test_all_is_known_when_every_kind_has_been_listed_and_not_before() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        keeping, waiting = (asyncio.create_task(each) for each in (parts.informers.keep(), parts.informers.wait()))
        while len(plurals(connection)) < 4:
            assert not parts.informers.is_synced("team") and not waiting.done()
            await asyncio.sleep(0.001)
        await waiting
        assert parts.informers.is_synced("team") and parts.informers.unserved() == {}
        keeping.cancel()

    play(script)


@pytest.mark.parametrize("plural", KINDS)
def test_a_namespace_that_may_not_be_listed_holds_up_no_other(plural: str) -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        connection.meddle = forbid("b", plural)
        keeping = asyncio.create_task(parts.informers.keep())
        await asyncio.sleep(100)
        assert parts.informers.is_synced("a") and not parts.informers.is_synced("b")
        assert parts.informers.unserved() == {"b": f"the operator may not list {plural}: no"}
        assert parts.informers.stale() == []
        connection.meddle = lambda request: None
        await asyncio.sleep(60)
        assert parts.informers.is_synced("b") and parts.informers.unserved() == {}
        keeping.cancel()

    play(script, "a", "b")


def test_every_run_of_a_namespace_has_its_turn_when_all_of_it_is_known_again() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        seen: list[Key] = []

        async def look(key: Key) -> None:
            seen.append(key)

        keeping, working = (asyncio.create_task(each) for each in (parts.informers.keep(), parts.queue.work(look)))
        await asyncio.sleep(10)
        seen.clear()
        connection.meddle = forbid("b")
        with pytest.raises(ApiError):
            await parts.informers.compare()
        informer = parts.informers._of["b"][-1]
        informer.problem = "taken away"
        connection.meddle = lambda request: None
        await informer.refresh()
        await asyncio.sleep(1)
        assert seen == [Key("b", "mnist")]
        keeping.cancel()
        working.cancel()

    play(script, "a", "b")


def test_what_no_watch_has_told_is_found_and_counted() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        await parts.informers.first()
        run = connection.server.find("trainingruns", "team", "mnist")
        assert run is not None
        connection.server.update("trainingruns", run, status={"state": "Running"})
        assert await parts.informers.compare() == 1
        assert await parts.informers.compare() == 0
        assert parts.metrics.registry.get_sample_value("trainingrun_resync_repairs_total") == 1

    play(script)


def test_everything_is_compared_every_interval_also_after_a_failure() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        await parts.informers.first()
        connection.sent.clear()
        comparing = asyncio.create_task(parts.informers.keep_comparing(600))

        def away(request: Request) -> None:
            if asyncio.get_running_loop().time() < 700:
                raise Transient("connection refused")

        connection.meddle = away
        await asyncio.sleep(1900)
        times = [round(time) for time, request in connection.sent if request.path.endswith("trainingruns")]
        assert times == [600, 1200, 1800]
        comparing.cancel()

    play(script)


def test_a_watch_that_does_not_connect_again_is_stale() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        keeping = asyncio.create_task(parts.informers.keep())
        await asyncio.sleep(1)
        connection.meddle = lambda request: Response(503, {}, b"") if "pods" in request.path else None
        await asyncio.sleep(LIMIT_SECONDS - 10)
        assert parts.informers.stale() == []
        await asyncio.sleep(20)
        assert parts.informers.stale() == ["pods"]
        assert parts.informers.age("pods") > LIMIT_SECONDS > parts.informers.age("rayjobs")
        keeping.cancel()

    play(script)


def test_the_limit_of_a_watch_is_longer_than_any_watch_lasts() -> None:
    assert LIMIT_SECONDS > WATCH_SECONDS + 60


def test_runtimes_that_may_not_be_listed_hold_up_nothing_and_are_tried_again() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        connection.meddle = lambda request: FORBIDDEN if request.path.endswith("trainingruntimes") else None
        keeping = asyncio.create_task(parts.informers.keep())
        await asyncio.wait_for(parts.informers.wait(), 10)
        assert plurals(connection)[:2] == ["trainingruntimes", "clustertrainingruntimes"]
        assert parts.informers.is_synced("team") and parts.informers.unserved() == {}
        await asyncio.sleep(60)
        assert plurals(connection).count("clustertrainingruntimes") > 2
        connection.meddle = lambda request: None
        await asyncio.sleep(60)
        watched = [request.path for _, request in connection.sent if request.query.get("watch")]
        assert any(path.endswith("/clustertrainingruntimes") for path in watched)
        assert any(path.endswith("/namespaces/team/trainingruntimes") for path in watched)
        keeping.cancel()

    play(script, "team")
