"""Kubernetes Events are posted in the background: nothing waits for them, and none is posted twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import virtual_time
from answering import NAMESPACE, Connection, never
from seen_objects import NOW, a_run

from trainingrun.engine.events import EventPoster
from trainingrun.kube import Api, Transient
from trainingrun.kube.transport import Request
from trainingrun.lifecycle.events import Event

EVENT = Event("Warning", "HeadLost", "The head was lost.")


class Desk:
    def __init__(self) -> None:
        self.connection = Connection()
        self.poster = EventPoster(Api(self.connection), lambda: NOW, "replica-1")

    def post(self, event: Event = EVENT) -> None:
        self.poster.post(a_run(), event)

    def names(self) -> list[str]:
        return [body["metadata"]["name"] for body in self.connection.server.of("events")]


def play(script: Callable[[Desk], Awaitable[None]]) -> None:
    async def main() -> None:
        desk = Desk()
        working = asyncio.create_task(desk.poster.work())
        await script(desk)
        working.cancel()

    virtual_time.run(main())


def test_an_event_is_about_its_run() -> None:
    async def script(desk: Desk) -> None:
        desk.post()
        await desk.poster.flush(2.0)
        (body,) = desk.connection.server.of("events")
        run = a_run()
        assert body["involvedObject"]["uid"] == run.uid and body["metadata"]["namespace"] == NAMESPACE
        assert (body["type"], body["reason"], body["message"]) == ("Warning", "HeadLost", "The head was lost.")
        assert (body["firstTimestamp"], body["reportingInstance"]) == ("2026-09-01T12:00:00Z", "replica-1")

    play(script)


def test_the_same_event_of_the_same_moment_is_there_once() -> None:
    async def script(desk: Desk) -> None:
        desk.post()
        desk.post()
        desk.post(Event("Normal", "Resumed", "On it goes."))
        await desk.poster.flush(2.0)
        assert len(desk.names()) == 2

    play(script)


def test_an_event_that_cannot_be_posted_keeps_no_other_one_waiting() -> None:
    async def script(desk: Desk) -> None:
        def fail_once(request: Request) -> None:
            if len(desk.connection.sent) == 1:
                raise Transient("connection refused")

        desk.connection.meddle = fail_once
        desk.post()
        desk.post(Event("Normal", "Resumed", "On it goes."))
        await desk.poster.flush(2.0)
        assert len(desk.names()) == 1

    play(script)


def test_the_end_waits_for_events_only_so_long() -> None:
    async def script(desk: Desk) -> None:
        desk.connection.meddle = never
        desk.post()
        before = asyncio.get_running_loop().time()
        await desk.poster.flush(2.0)
        assert asyncio.get_running_loop().time() - before == pytest.approx(2.0, abs=0.1)

    play(script)


def test_above_a_thousand_waiting_events_new_ones_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    async def script(desk: Desk) -> None:
        desk.connection.meddle = never
        for number in range(1002):
            desk.post(Event("Normal", "Queued", f"{number}"))

    play(script)
    assert [record.message for record in caplog.records].count("an Event was dropped") == 2
