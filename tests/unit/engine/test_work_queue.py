"""The queue of runs: each at most once in it, one worker a run, and pauses that grow with failures."""

from __future__ import annotations

import asyncio
import itertools

import pytest
import virtual_time
from queue_looks import Look, Looks, clock, play

from trainingrun.engine.queue import FIRST_PAUSE, LONGEST_PAUSE, WorkQueue


def test_a_key_that_waits_is_there_once_however_often_it_is_added() -> None:
    async def script(queue: WorkQueue[str]) -> None:
        for key in "abab":
            queue.add(key)
        assert queue.depth() == 2
        await asyncio.sleep(5)

    looks = Looks()
    play(script, looks)
    assert [key for key, _ in looks.at] == ["a", "b"]


def test_a_key_that_is_added_while_a_worker_has_it_is_looked_at_once_more() -> None:
    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(0.5)
        for _ in range(3):
            queue.add("a")
        await asyncio.sleep(5)

    looks = Looks()
    play(script, looks, workers=3)
    assert looks.at == [("a", 0.0), ("a", 1.0)]


def test_different_keys_are_worked_on_at_the_same_time_up_to_the_number_of_workers() -> None:
    async def script(queue: WorkQueue[str]) -> None:
        for key in "abcdef":
            queue.add(key)
        await asyncio.sleep(5)

    looks = Looks()
    play(script, looks, workers=3)
    assert (looks.most_at_once, [when for _, when in looks.at]) == (3, [0, 0, 0, 1, 1, 1])


def test_of_several_later_looks_the_earliest_counts() -> None:
    async def script(queue: WorkQueue[str]) -> None:
        for seconds in (30, 10, 20):
            queue.add_after("a", seconds)
        queue.add_after("b", 50)
        await asyncio.sleep(60)

    looks = Looks()
    play(script, looks)
    assert looks.at == [("a", 10.0), ("b", 50.0)]


def test_a_later_look_does_not_keep_an_event_waiting() -> None:
    async def script(queue: WorkQueue[str]) -> None:
        queue.add_after("a", 30)
        await asyncio.sleep(2)
        queue.add("a")
        await asyncio.sleep(60)

    looks = Looks()
    play(script, looks)
    assert looks.at == [("a", 2.0), ("a", 30.0)]


def failing(queue: WorkQueue[str], times: int, at_least: float | None = None) -> tuple[Look, list[float]]:
    looks: list[float] = []

    async def look(key: str) -> None:
        looks.append(clock())
        if len(looks) <= times:
            queue.retry(key, at_least)

    return look, looks


def play_failing(
    times: int, seconds: float, *, events: float | None = None, at_least: float | None = None, jitter: float = 1.0
) -> list[float]:
    """When a key was looked at that fails so often; with events about it every so many seconds."""

    async def main() -> list[float]:
        queue: WorkQueue[str] = WorkQueue(lambda: jitter)
        look, looks = failing(queue, times, at_least)
        worker = asyncio.create_task(queue.work(look))
        queue.add("a")
        if events is not None:
            for _ in range(int(seconds / events)):
                await asyncio.sleep(events)
                queue.add("a")
        else:
            await asyncio.sleep(seconds)
        queue.stop()
        await worker
        return looks

    return virtual_time.run(main())


def test_pauses_double_up_to_five_minutes() -> None:
    looks = play_failing(12, 10_000)
    pauses = [after - before for before, after in itertools.pairwise(looks)]
    assert pauses == [min(FIRST_PAUSE * 2**n, LONGEST_PAUSE) for n in range(12)]


@pytest.mark.parametrize("jitter", [0.8, 1.2])
def test_jitter_moves_each_pause(jitter: float) -> None:
    assert play_failing(2, 10, jitter=jitter) == pytest.approx([0, 0.5 * jitter, 1.5 * jitter])


def test_events_bring_a_failing_key_back_but_not_more_than_once_a_second() -> None:
    looks = play_failing(1000, 60, events=0.25)
    pauses = [after - before for before, after in itertools.pairwise(looks)]
    assert len(looks) > 50 and min(pauses[2:]) >= 1.0


def test_what_the_server_asks_for_is_waited_for_whatever_happens() -> None:
    assert play_failing(1, 60, events=1, at_least=30)[:2] == [0.0, 30.0]


def test_after_a_success_the_next_failure_is_the_first() -> None:
    async def main() -> list[float]:
        queue: WorkQueue[str] = WorkQueue(lambda: 1.0)
        pauses = [queue.retry("a"), queue.retry("a")]
        queue.forgive("a")
        return [*pauses, queue.retry("a")]

    assert virtual_time.run(main()) == [0.5, 1.0, 0.5]


def test_a_key_that_fails_keeps_no_other_one_waiting() -> None:
    order: list[tuple[str, float]] = []

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(lambda: 1.0)

        async def look(key: str) -> None:
            order.append((key, clock()))
            if key == "poison":
                queue.retry(key)

        worker = asyncio.create_task(queue.work(look))
        for key in ("poison", "a", "b"):
            queue.add(key)
        await asyncio.sleep(0.1)
        queue.stop()
        await worker

    virtual_time.run(main())
    assert order == [("poison", 0.0), ("a", 0.0), ("b", 0.0)]
