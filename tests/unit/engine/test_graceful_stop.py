"""How the operator ends: it finishes what is under way, writes what is kept, and gives the Lease back, all in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import virtual_time
from answering import NAMESPACE, Connection, never, run_body
from seen_objects import a_run

from trainingrun.engine import run
from trainingrun.engine.assembly import Parts, assemble
from trainingrun.engine.keys import Key
from trainingrun.engine.kopf_frame import STOP_SECONDS
from trainingrun.engine.progress.reported_status import ReportedStatus
from trainingrun.engine.run import Operator
from trainingrun.engine.settings import Settings
from trainingrun.lifecycle.events import Event

SETTINGS = Settings(lease_namespace="system", workers=2)


class Runner:
    """A server that ends at once."""

    async def cleanup(self) -> None:
        pass


async def framed(configuration: Any, work: Callable[[], Coroutine[Any, Any, None]], stop: asyncio.Event) -> None:
    """The work, without kopf around it."""
    working = asyncio.create_task(work())
    await stop.wait()
    working.cancel()


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sockets, signals and kopf."""

    async def serve(*_: Any) -> Runner:
        return Runner()

    monkeypatch.setattr(run, "serve", serve)
    monkeypatch.setattr(run, "run_framed", framed)
    monkeypatch.setattr(run, "_on_signals", lambda stop: None)


Script = Callable[[Parts, Connection], Awaitable[None]]


def stopped(script: Script) -> tuple[float, int, Connection]:
    """How long the operator takes to end after `script`, its exit status, and what it sent."""

    async def main() -> tuple[float, int, Connection]:
        connection = Connection()
        connection.server.create("trainingruns", NAMESPACE, run_body())
        operator = Operator(assemble(SETTINGS, connection, now=virtual_time.now, jitter=lambda: 1.0), None)
        running = asyncio.create_task(operator.run())
        await asyncio.sleep(40)
        await script(operator._parts, connection)
        operator.stop.set()
        began = asyncio.get_running_loop().time()
        status = await running
        await operator.close()
        return asyncio.get_running_loop().time() - began, status, connection

    return virtual_time.run(main())


async def nothing(parts: Parts, connection: Connection) -> None:
    assert parts.queue.depth() == 0


def holder(connection: Connection) -> str:
    body = connection.server.find("leases", "system", "trainingrun-operator")
    assert body is not None
    return str(body["spec"]["holderIdentity"])


def test_an_operator_that_has_nothing_to_do_ends_at_once_and_gives_the_lease_back() -> None:
    seconds, status, connection = stopped(nothing)
    assert (seconds < 1, status, holder(connection)) == (True, 0, "")


def test_it_has_created_the_run_s_first_attempt_before() -> None:
    """Or these tests would be about an operator that does not work."""
    _, _, connection = stopped(nothing)
    assert [body["metadata"]["labels"]["trainingrun.dev/attempt"] for body in connection.server.of("rayjobs")] == ["0"]


def test_runs_that_wait_are_left_to_the_next_operator() -> None:
    before = 0

    async def script(parts: Parts, connection: Connection) -> None:
        nonlocal before
        before = len(connection.sent)
        for number in range(500):
            parts.queue.add(Key(NAMESPACE, f"run-{number}"))

    seconds, status, connection = stopped(script)
    assert (seconds < 1, status) == (True, 0)
    assert len(connection.sent) - before < 5


def test_reports_and_events_that_wait_are_written() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        body = connection.server.find("trainingruns", NAMESPACE, "mnist")
        assert body is not None
        run = parts.cache.run_by_uid(body["metadata"]["uid"])
        assert run is not None
        for value in (1, 2):
            await parts.writer.take(run, 0, ReportedStatus({"progressPercentage": value}, {}))
        parts.events.post(run, Event("Normal", "Resumed", "On it goes."))

    _, _, connection = stopped(script)
    body = connection.server.find("trainingruns", NAMESPACE, "mnist")
    assert body is not None and body["status"]["trainerStatus"]["progressPercentage"] == 2
    assert "Resumed" in [event["reason"] for event in connection.server.of("events")]


def test_an_api_server_that_does_not_answer_cannot_hold_it_up() -> None:
    """Everything hangs at once: a look at a run, reports, Events and the Lease."""

    async def script(parts: Parts, connection: Connection) -> None:
        run = a_run()
        connection.meddle = never
        body = next(connection.server.of("trainingruns"))
        changed = {**body, "metadata": {**body["metadata"], "resourceVersion": "999", "generation": 2}}
        parts.intake.take("TrainingRun", "MODIFIED", changed)
        parts.events.post(run, Event("Normal", "Resumed", "On it goes."))
        reporting = asyncio.create_task(parts.writer.take(run, 0, ReportedStatus({"progressPercentage": 1}, {})))
        await asyncio.sleep(1)
        reporting.cancel()

    seconds, status, _ = stopped(script)
    assert (8 < seconds < STOP_SECONDS, status) == (True, 0)


def test_a_part_that_fails_ends_the_process_with_1() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        body = connection.server.find("leases", "system", "trainingrun-operator")
        assert body is not None
        connection.server.update("leases", body, spec={**body["spec"], "holderIdentity": "another"})
        await asyncio.sleep(30)

    _, status, connection = stopped(script)
    assert (status, holder(connection)) == (1, "another")


def test_the_last_resort_comes_before_the_kubelet_s() -> None:
    assert STOP_SECONDS <= 20
