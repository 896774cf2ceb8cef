"""Workers on a queue in virtual time, and looks that take a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import virtual_time

from trainingrun.engine.queue import WorkQueue

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
