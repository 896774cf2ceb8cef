"""Several replicas take the reports of a run, and each may keep one for a while: the newest is what stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import virtual_time
from answering import NAMESPACE, Connection, run_body
from progress_desk import percent
from seen_objects import at, entry, text_of
from server import Server

from trainingrun.engine.cache import Cache
from trainingrun.engine.progress.reported_status import ReportedStatus, is_outdated
from trainingrun.engine.progress.writer import ProgressWriter
from trainingrun.kube import Api
from trainingrun.kube.resources import TRAINING_RUNS
from trainingrun.kube.transport import Request, Response
from trainingrun.observed import run_object_of


class Replica:
    """One replica, which does not lead: what it knows of the run it has just read."""

    def __init__(self, server: Server):
        self.connection = Connection(server)
        self._api = Api(self.connection)
        self.writer = ProgressWriter(self._api, Cache(), virtual_time.now)

    async def take(self, value: int, attempt: int = 0) -> bool:
        run = run_object_of(await self._api.get(TRAINING_RUNS, NAMESPACE, "mnist"))
        return await self.writer.take(run, attempt, percent(value))


Script = Callable[[Replica, Replica, Server], Awaitable[None]]


def end_of(script: Script) -> Any:
    """The percentage in the run's status a minute after the script."""

    async def main() -> Any:
        server = Server()
        server.create("trainingruns", NAMESPACE, run_body())
        await script(Replica(server), Replica(server), server)
        await asyncio.sleep(60)
        run = server.find("trainingruns", NAMESPACE, "mnist")
        assert run is not None
        return run["status"]["trainerStatus"]["progressPercentage"]

    return virtual_time.run(main())


async def keep_one(replica: Replica, value: int) -> None:
    """Have it keep a report for ten seconds."""
    assert await replica.take(1) is True
    assert await replica.take(value) is False


def test_what_one_replica_kept_does_not_replace_the_end_that_another_has_written() -> None:
    async def script(first: Replica, second: Replica, server: Server) -> None:
        await keep_one(first, 95)
        await asyncio.sleep(2)
        assert await second.take(100) is True

    assert end_of(script) == 100


def test_what_one_replica_kept_does_not_replace_what_came_later_to_another() -> None:
    async def script(first: Replica, second: Replica, server: Server) -> None:
        await keep_one(first, 50)
        await asyncio.sleep(2)
        assert await second.take(60) is True

    assert end_of(script) == 60


def test_what_could_not_be_written_at_first_does_not_replace_what_came_later_to_another() -> None:
    async def script(first: Replica, second: Replica, server: Server) -> None:
        first.connection.meddle = lambda request: Response(503, {}, b"") if request.method == "PATCH" else None
        with pytest.raises(Exception, match="503"):
            await first.take(50)
        first.connection.meddle = lambda request: None
        await asyncio.sleep(2)
        assert await second.take(60) is True

    assert end_of(script) == 60


def test_what_came_later_is_written_although_the_status_has_changed_meanwhile() -> None:
    async def script(first: Replica, second: Replica, server: Server) -> None:
        await keep_one(first, 50)
        run = server.find("trainingruns", NAMESPACE, "mnist")
        assert run is not None
        server.update("trainingruns", run, status={**run["status"], "state": "Running"})

    assert end_of(script) == 50


def test_a_report_that_another_write_overtakes_on_its_way_is_compared_again() -> None:
    async def script(first: Replica, second: Replica, server: Server) -> None:
        async def overtaken(request: Request) -> None:
            if request.method == "PATCH":
                first.connection.meddle = lambda _: None
                await asyncio.sleep(2)
                await second.take(100)

        first.connection.meddle = overtaken
        assert await first.take(95) is True

    assert end_of(script) == 100


def there(value: int, seconds: float, *attempts: dict[str, Any]) -> dict[str, Any]:
    trainer = {"progressPercentage": value, "lastUpdatedTime": text_of(at(seconds))}
    return {"trainerStatus": trainer, "attempts": list(attempts) or [entry(0)]}


BEGAN = text_of(at(50))


@pytest.mark.parametrize(
    ("what", "report", "seconds", "status", "expected"),
    [
        ("nothing is there", percent(5), 100, {}, False),
        ("an older one is there", percent(5), 100, there(4, 90), False),
        ("one of the same second is there", percent(5), 100.5, there(4, 100), False),
        ("a newer one is there", percent(5), 100, there(4, 101), True),
        ("the end is there", percent(5), 100, there(100, 99), True),
        ("the end was there long ago", percent(5), 200, there(100, 99), False),
        ("the end comes, and the clocks differ", percent(100), 100, there(99, 130), False),
        ("the end is there and comes again later", percent(100), 101, there(100, 100), False),
        ("a newer attempt is there", percent(100), 100, there(3, 90, entry(0), entry(1)), True),
        ("the end of an earlier attempt", percent(5), 60, there(100, 40, entry(0, startTime=BEGAN)), False),
    ],
)
def test_which_of_two_reports_is_newer(
    what: str, report: ReportedStatus, seconds: float, status: dict[str, Any], expected: bool
) -> None:
    assert is_outdated(report, 0, at(seconds), status) is expected
