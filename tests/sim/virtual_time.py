"""An event loop whose clock jumps to the next thing that is due: waiting takes no time, and no two runs differ."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Stuck(Exception):
    """Nothing is due any more, so that nothing will ever happen."""


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck("every task waits for another one")
        self.elapsed += max(timeout, 0.0)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop. Its time is the number of seconds since `EPOCH`."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.elapsed


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def now() -> datetime:
    """The time of day by the running loop's clock."""
    return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())


def stamp() -> str:
    """As the API server writes it."""
    return now().strftime("%Y-%m-%dT%H:%M:%SZ")
