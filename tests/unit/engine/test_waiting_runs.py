"""Two runs that name one folder, reconciled in any order and at once: one begins, and the other once that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import virtual_time
from answering import NAMESPACE, Connection, run_body

from trainingrun.engine.cache import Cache
from trainingrun.engine.keys import Key
from trainingrun.engine.reconcile import Reconciler
from trainingrun.kube import Api
from trainingrun.kube.resources import TRAINING_RUNS as RUNS

OLDER, YOUNGER = Key(NAMESPACE, "older"), Key(NAMESPACE, "younger")
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
COMPLETE = {"type": "Complete", "status": "True", "reason": "TrainingComplete", "message": "Over."}


class Bench:
    """An operator without KubeRay, which creates nothing but says what it would create."""

    def __init__(self) -> None:
        self.connection, self.cache = Connection(), Cache()
        api: Any = Api(self.connection)
        events: Any = type("Events", (), {"post": lambda *_: None})()
        self.created: list[str] = []
        self.reconciler = Reconciler(api, self.cache, self, events, lambda: NOW)  # type: ignore[arg-type]
        self.bodies = {key: self._made(key.name, minute) for minute, key in enumerate((OLDER, YOUNGER))}

    async def create(self, run: Any, creation: Any, *, written_at: float) -> None:
        self.created.append(run.name)

    def see(self, key: Key) -> None:
        self.cache.put(RUNS.kind, self.bodies[key])

    def change(self, key: Key, **status: Any) -> None:
        server = self.connection.server
        body = server.objects["trainingruns", NAMESPACE, key.name]
        self.bodies[key] = server.update("trainingruns", body, status={**body.get("status", {}), **status})
        self.see(key)

    def _made(self, name: str, minute: int) -> dict[str, Any]:
        body = run_body()
        body["metadata"] |= {"name": name, "creationTimestamp": f"2026-09-01T11:0{minute}:00Z"}
        body["spec"]["storage"] = {"uri": "s3://acme/runs", "runName": "digits"}
        return dict(self.connection.server.create("trainingruns", NAMESPACE, body))


def play(script: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        await script(Bench())

    virtual_time.run(main())


def test_at_once_one_of_them_begins() -> None:
    async def script(bench: Bench) -> None:
        bench.see(OLDER)
        bench.see(YOUNGER)
        await asyncio.gather(bench.reconciler.reconcile(YOUNGER), bench.reconciler.reconcile(OLDER))
        assert bench.created == ["older"]

    play(script)


def test_an_older_one_that_is_seen_while_the_younger_is_written_waits() -> None:
    async def script(bench: Bench) -> None:
        bench.see(YOUNGER)
        begun = asyncio.create_task(bench.reconciler.reconcile(YOUNGER))
        await asyncio.sleep(0)
        bench.see(OLDER)
        await asyncio.gather(begun, bench.reconciler.reconcile(OLDER))
        assert bench.created == ["younger"]

    play(script)


def test_who_waits_is_looked_at_when_the_other_changes() -> None:
    async def script(bench: Bench) -> None:
        bench.see(OLDER)
        bench.see(YOUNGER)
        assert (await bench.reconciler.reconcile(YOUNGER)).waiting == ()
        assert (await bench.reconciler.reconcile(OLDER)).waiting == (YOUNGER,)
        await bench.reconciler.reconcile(YOUNGER)
        bench.change(OLDER, conditions=[COMPLETE])
        assert (await bench.reconciler.reconcile(OLDER)).waiting == (YOUNGER,)
        await bench.reconciler.reconcile(YOUNGER)
        assert bench.created == ["older", "younger"]
        assert (await bench.reconciler.reconcile(OLDER)).waiting == ()

    play(script)


def test_who_waits_is_looked_at_when_the_other_is_gone() -> None:
    async def script(bench: Bench) -> None:
        bench.see(OLDER)
        bench.see(YOUNGER)
        await bench.reconciler.reconcile(OLDER)
        await bench.reconciler.reconcile(YOUNGER)
        bench.cache.forget_uid(RUNS.kind, bench.bodies[OLDER]["metadata"]["uid"])
        assert (await bench.reconciler.reconcile(OLDER)).waiting == (YOUNGER,)
        await bench.reconciler.reconcile(YOUNGER)
        assert bench.created == ["older", "younger"]

    play(script)
