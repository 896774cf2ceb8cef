"""Reports are written when they say something new, the newest of several, at most every ten seconds before the end."""

from __future__ import annotations

import asyncio
import itertools

from progress_desk import OTHER, RUN, Desk, percent, play, reported

from trainingrun.engine.progress.writer import BURST
from trainingrun.kube.transport import Request, Response


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


def test_at_the_end_what_waits_is_written() -> None:
    async def script(desk: Desk) -> None:
        await desk.report(1)
        await desk.report(2)
        await desk.writer.flush(3.0)
        await asyncio.sleep(60)

    assert play(script) == [(0, RUN.uid, 1), (0, RUN.uid, 2)]


def test_a_run_may_report_in_a_burst_and_then_once_a_second() -> None:
    async def script(desk: Desk) -> None:
        allowed = [desk.writer.may_report("a") for _ in range(BURST + 5)]
        assert allowed == [True] * BURST + [False] * 5
        await asyncio.sleep(3)
        assert [desk.writer.may_report("a") for _ in range(4)] == [True, True, True, False]
        assert desk.writer.may_report("b")

    play(script)
