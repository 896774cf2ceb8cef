"""The ranks that wait for rows of a pass, and how they are told that there may be some."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

from trainingrun_trainer.pool.tasks import PassKey

A = TypeVar("A")


class Waiters:
    """See the module."""

    def __init__(self) -> None:
        self._changes: dict[tuple[PassKey, int], asyncio.Event] = {}

    async def answer(self, key: PassKey, rank: int, ask: Callable[[], A | None], seconds: float) -> A | None:
        """The first answer that there is to `ask`, asked again at each change; None if there is none in `seconds`."""
        changed = self._changes.setdefault((key, rank), asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (answer := ask()) is None:
                    changed.clear()
                    await changed.wait()
                return answer
        return None

    def tell(self, key: PassKey, rank: int | None) -> None:
        """Something has changed for a rank of a pass, or for all of them."""
        for (other, of_rank), changed in self._changes.items():
            if other == key and rank in (None, of_rank):
                changed.set()

    def tell_all(self) -> None:
        """Something has changed for everybody."""
        for changed in self._changes.values():
            changed.set()

    def forget(self, is_over: Callable[[PassKey], bool]) -> None:
        """Passes are over: whoever still waits for one is told."""
        for known in [known for known in self._changes if is_over(known[0])]:
            self._changes.pop(known).set()
