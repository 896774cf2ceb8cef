"""How often something that was cut off is tried again: as long as it gets on at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from trainingrun.transfer.places import CutOff, TransferError

T = TypeVar("T")
_MOST_TRIES = 5
FIRST_PAUSE_SECONDS = 1.0


class Patience:
    """Counts the cuts since bytes have last come. `tell` gets a sentence about each pause."""

    def __init__(self, tell: Callable[[str], None]):
        self._tell = tell
        self._cuts = 0

    def renew(self) -> None:
        """Bytes have come."""
        self._cuts = 0

    async def insist(self, action: Callable[[], Awaitable[T]]) -> T:
        """What the action gives, once it is not cut off. Raises `TransferError` after the last try."""
        while True:
            try:
                return await action()
            except CutOff as error:
                await self.after(error)

    async def after(self, error: CutOff) -> None:
        """Wait before the next try. Raises `TransferError` after the last one."""
        self._cuts += 1
        if self._cuts >= _MOST_TRIES:
            raise TransferError(
                f"{error}; it was tried {_MOST_TRIES} times. The same command goes on from here."
            ) from error
        pause = FIRST_PAUSE_SECONDS * 2 ** (self._cuts - 1)
        self._tell(f"{error}; trying again in {pause:g} s")
        await asyncio.sleep(pause)
