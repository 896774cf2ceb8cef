"""A ProgressWriter in virtual time, and what it has written: for the tests of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import virtual_time
from answering import Connection
from seen_objects import a_run

from trainingrun.contract.progress_protocol import decode
from trainingrun.engine.cache import Cache
from trainingrun.engine.progress.reported_status import ReportedStatus, reported_status
from trainingrun.engine.progress.writer import ProgressWriter
from trainingrun.kube import Api
from trainingrun.kube.transport import Request, Response

RUN = a_run()


OTHER = replace(RUN, name="other", uid="other")


def reported(**trainer: Any) -> ReportedStatus:
    return reported_status(decode(json.dumps({"trainerStatus": trainer}).encode()))


def percent(value: int) -> ReportedStatus:
    return reported(progressPercentage=value)


class Desk:
    """A writer, and what it has written: when, of which run, and which percentage."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.connection.meddle = self._take
        self.writer = ProgressWriter(Api(self.connection), Cache(), virtual_time.now)
        self.written: list[tuple[int, str, int]] = []
        self.fail: Callable[[], Response | None] = lambda: None

    def _take(self, request: Request) -> Response:
        failed = self.fail()
        if failed is not None:
            return failed
        body: dict[str, Any] = dict(request.body or {})
        assert request.query["fieldManager"] == "trainingrun-progress" and request.path.endswith("/status")
        trainer = body["status"]["trainerStatus"]
        time = round(asyncio.get_running_loop().time())
        self.written.append((time, body["metadata"]["uid"], trainer["progressPercentage"]))
        return Response(200, {}, b"{}")

    async def report(self, value: int, attempt: int = 0) -> bool:
        return await self.writer.take(RUN, attempt, percent(value))


def play(script: Callable[[Desk], Awaitable[None]]) -> list[tuple[int, str, int]]:
    async def main() -> list[tuple[int, str, int]]:
        desk = Desk()
        await script(desk)
        return desk.written

    return virtual_time.run(main())
