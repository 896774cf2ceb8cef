"""What could not be written is tried again until it is, but not for a run that is gone, nor past the end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from answering import never
from progress_desk import RUN, Desk, percent, play

from trainingrun.kube import Conflict, Transient
from trainingrun.kube.transport import Response


def test_a_report_of_the_end_that_could_not_be_written_is_written_later() -> None:
    async def script(desk: Desk) -> None:
        desk.fail = lambda: Response(500, {}, b"{}")
        with pytest.raises(Transient):
            await desk.report(100)
        desk.fail = lambda: None
        await asyncio.sleep(60)

    assert play(script) == [(10, RUN.uid, 100)]


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
        assert len(desk.connection.paths("PATCH")) == 2

    play(script)


def test_a_run_that_was_replaced_is_told_to_whoever_reports() -> None:
    async def script(desk: Desk) -> None:
        desk.fail = lambda: Response(409, {}, b"")
        with pytest.raises(Conflict):
            await desk.report(1)

    assert play(script) == []


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
