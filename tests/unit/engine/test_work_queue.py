"""The queue of runs: each at most once in it, one worker a run, and pauses that grow with failures."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import virtual_time

from trainingrun.engine.queue import FIRST_PAUSE, LONGEST_PAUSE, WorkQueue

Look = Callable[[str], Awaitable[None]]


def play(script: Callable[[WorkQueue[str]], Coroutine[Any, Any, None]], look: Look, workers: int = 1) -> None:
    """Let workers work while the script does what it does; time jumps."""

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(lambda: 1.0)
        tasks = [asyncio.create_task(queue.work(look)) for _ in range(workers)]
        await script(queue)
        queue.stop()
        await asyncio.gather(*tasks)

    virtual_time.run(main())


def clock() -> float:
    return asyncio.get_running_loop().time()


class Looks:
    """Looks that take a second each, with what they were at and when."""

    def __init__(self) -> None:
        self.at: list[tuple[str, float]] = []
        self.most_at_once = 0
        self.under_way: list[str] = []

    async def __call__(self, key: str) -> None:
        assert key not in self.under_way, "two workers have the same run"
        self.under_way.append(key)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        self.at.append((key, clock()))
        await asyncio.sleep(1.0)
        self.under_way.remove(key)


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


def test_stopping_ends_with_the_key_that_is_worked_on_and_starts_no_other() -> None:
    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.add("b")
        await asyncio.sleep(0.5)

    looks = Looks()
    play(script, looks)
    assert looks.at == [("a", 0.0)]


def test_a_worker_that_raises_gives_its_key_back_and_ends() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(lambda: 1.0)

        async def look(key: str) -> None:
            raise RuntimeError("not leading")

        queue.add("a")
        with pytest.raises(RuntimeError):
            await queue.work(look)
        queue.add("a")
        assert queue.depth() == 1

    virtual_time.run(main())


def test_the_oldest_is_the_one_that_waits_or_works_longest() -> None:
    async def main() -> list[float]:
        queue: WorkQueue[str] = WorkQueue(lambda: 1.0)
        looks, ages = Looks(), [queue.oldest()]
        queue.add("a")
        await asyncio.sleep(3)
        ages.append(queue.oldest())
        worker = asyncio.create_task(queue.work(looks))
        await asyncio.sleep(0.5)
        ages.append(queue.oldest())
        await asyncio.sleep(9)
        ages.append(queue.oldest())
        queue.stop()
        await worker
        return ages

    assert virtual_time.run(main()) == [0.0, 3.0, 0.5, 0.0]


def test_a_long_queue_that_moves_is_not_stalled_and_one_that_does_not_is() -> None:
    async def main() -> tuple[float, float, float]:
        queue: WorkQueue[int] = WorkQueue(lambda: 1.0)
        for number in range(2000):
            queue.add(number)

        async def look(key: int) -> None:
            await asyncio.sleep(1.0 if key < 1000 else 900.0)

        working = asyncio.create_task(queue.work(look))
        await asyncio.sleep(900.5)
        moving, oldest = queue.stalled(), queue.oldest()
        await asyncio.sleep(800)
        hanging = queue.stalled()
        working.cancel()
        return moving, oldest, hanging

    moving, oldest, hanging = virtual_time.run(main())
    assert moving <= 1.0 and oldest > 900 and hanging > 600


def test_a_queue_that_nobody_takes_from_is_stalled_since_there_was_something_to_take() -> None:
    async def main() -> list[float]:
        queue: WorkQueue[int] = WorkQueue(lambda: 1.0)
        await asyncio.sleep(5000)
        stalled = [queue.stalled()]
        queue.add(1)
        await asyncio.sleep(10)
        return [*stalled, queue.stalled()]

    assert virtual_time.run(main()) == [0.0, 10.0]
