"""How work on a queue stops, and when a queue counts as one that does not move."""

from __future__ import annotations

import asyncio

import pytest
import virtual_time
from queue_looks import Looks, play

from trainingrun.engine.queue import WorkQueue


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
