"""Reports are written when they say something new, the newest of several, at most every ten seconds before the end."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import virtual_time
from answering import Connection, never
from seen_objects import a_run

from trainingrun.contract.progress_protocol import decode
from trainingrun.engine.progress.reported_status import ReportedStatus, reported_status
from trainingrun.engine.progress.writer import BURST, ProgressWriter
from trainingrun.kube import Api, Conflict, Transient
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
        self.writer = ProgressWriter(Api(self.connection), virtual_time.now)
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


def test_the_first_report_is_written_at_once() -> None:
    async def script(desk: Desk) -> None:
        assert await desk.report(1) is True

    assert play(script) == [(0, RUN.uid, 1)]


def test_of_several_reports_within_ten_seconds_the_newest_is_written_when_they_are_over() -> None:
    async def script(desk: Desk) -> None:
        assert [await desk.report(value) for value in (1, 2, 3)] == [True, False, False]
        await asyncio.sleep(5)
        assert await desk.report(4) is False
        await asyncio.sleep(60)

    assert play(script) == [(0, RUN.uid, 1), (10, RUN.uid, 4)]


def test_a_report_every_second_is_a_write_every_ten() -> None:
    async def script(desk: Desk) -> None:
        for second in range(55):
            await desk.report(second)
            await asyncio.sleep(1)

    written = play(script)
    assert len(written) == 6
    assert all(after[0] - before[0] >= 10 for before, after in itertools.pairwise(written))


def test_reports_of_the_end_are_written_at_once_instead_of_what_was_kept() -> None:
    async def script(desk: Desk) -> None:
        assert [await desk.report(value) for value in (98, 99)] == [True, False]
        await asyncio.sleep(2)
        assert await desk.report(100) is True
        await asyncio.sleep(60)

    assert play(script) == [(0, RUN.uid, 98), (2, RUN.uid, 100)]


def test_the_last_checkpoint_is_written_at_once_when_it_comes_after_the_last_step() -> None:
    async def script(desk: Desk) -> None:
        assert await desk.report(100) is True
        await asyncio.sleep(1)
        saved = {"progressPercentage": 100, "metrics": [{"name": "checkpoint", "value": "step-9"}]}
        assert await desk.writer.take(RUN, 0, reported(**saved)) is True

    assert play(script) == [(0, RUN.uid, 100), (1, RUN.uid, 100)]


def test_a_report_of_the_end_comes_after_one_that_is_on_its_way() -> None:
    async def script(desk: Desk) -> None:
        answered = asyncio.Event()
        take = desk.connection.meddle

        async def slow(request: Request) -> Response:
            desk.connection.meddle = take
            await answered.wait()
            return take(request)

        desk.connection.meddle = slow
        first = asyncio.create_task(desk.report(99))
        await asyncio.sleep(1)
        last = asyncio.create_task(desk.report(100))
        await asyncio.sleep(1)
        answered.set()
        await asyncio.gather(first, last)

    assert [value for _, _, value in play(script)] == [99, 100]


def test_a_report_of_the_end_that_could_not_be_written_is_written_later() -> None:
    async def script(desk: Desk) -> None:
        desk.fail = lambda: Response(500, {}, b"{}")
        with pytest.raises(Transient):
            await desk.report(100)
        desk.fail = lambda: None
        await asyncio.sleep(60)

    assert play(script) == [(10, RUN.uid, 100)]


def test_what_says_nothing_new_is_not_written() -> None:
    async def script(desk: Desk) -> None:
        for _ in range(10):
            assert await desk.report(1) is True
            await asyncio.sleep(20)

    assert len(play(script)) == 1


def test_the_same_words_of_another_attempt_are_new() -> None:
    async def script(desk: Desk) -> None:
        await desk.report(1)
        await asyncio.sleep(20)
        await desk.report(1, attempt=1)

    assert len(play(script)) == 2


def test_runs_do_not_wait_for_each_other() -> None:
    async def script(desk: Desk) -> None:
        await desk.report(1)
        assert await desk.writer.take(OTHER, 0, percent(1)) is True

    assert [uid for _, uid, _ in play(script)] == [RUN.uid, OTHER.uid]


def test_what_could_not_be_written_is_tried_again_with_the_next_report() -> None:
    async def script(desk: Desk) -> None:
        desk.fail = lambda: Response(503, {}, b"")
        with pytest.raises(Transient):
            await desk.report(1)
        desk.fail = lambda: None
        assert await desk.report(1) is False
        await asyncio.sleep(20)

    assert play(script) == [(10, RUN.uid, 1)]


def test_what_waits_is_tried_again_until_it_is_written() -> None:
    async def script(desk: Desk) -> None:
        await desk.report(1)
        await desk.report(2)
        desk.fail = lambda: Response(503, {}, b"")
        await asyncio.sleep(25)
        desk.fail = lambda: None
        await asyncio.sleep(20)

    assert play(script) == [(0, RUN.uid, 1), (30, RUN.uid, 2)]


@pytest.mark.parametrize("status", [404, 409])
def test_a_run_that_is_gone_or_replaced_is_not_tried_again(status: int) -> None:
    async def script(desk: Desk) -> None:
        await desk.report(1)
        await desk.report(2)
        desk.fail = lambda: Response(status, {}, b"")
        await asyncio.sleep(100)
        tried = [request for _, request in desk.connection.sent]
        assert len(tried) == 2

    play(script)


def test_a_run_that_was_replaced_is_told_to_whoever_reports() -> None:
    async def script(desk: Desk) -> None:
        desk.fail = lambda: Response(409, {}, b"")
        with pytest.raises(Conflict):
            await desk.report(1)

    assert play(script) == []


def test_at_the_end_what_waits_is_written() -> None:
    async def script(desk: Desk) -> None:
        await desk.report(1)
        await desk.report(2)
        await desk.writer.flush(3.0)
        await asyncio.sleep(60)

    assert play(script) == [(0, RUN.uid, 1), (0, RUN.uid, 2)]


def test_the_end_does_not_wait_for_a_server_that_is_away() -> None:
    async def script(desk: Desk) -> None:
        for number in range(50):
            run = replace(RUN, uid=f"run-{number}")
            await desk.writer.take(run, 0, percent(1))
            await desk.writer.take(run, 0, percent(2))
        desk.connection.meddle = never
        before = asyncio.get_running_loop().time()
        await desk.writer.flush(3.0)
        assert asyncio.get_running_loop().time() - before <= 3.1

    play(script)


def test_a_run_may_report_in_a_burst_and_then_once_a_second() -> None:
    async def script(desk: Desk) -> None:
        allowed = [desk.writer.may_report("a") for _ in range(BURST + 5)]
        assert allowed == [True] * BURST + [False] * 5
        await asyncio.sleep(3)
        assert [desk.writer.may_report("a") for _ in range(4)] == [True, True, True, False]
        assert desk.writer.may_report("b")

    play(script)
