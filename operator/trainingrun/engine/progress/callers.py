"""How many questions to the API server a caller may waste: a few in a minute, whatever it sends.

A question is wasted when its answer refuses the caller. It must not count what the callers of good reports cost.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

WINDOW_SECONDS = 60.0
MOST_WASTED = 20
_MOST_CALLERS = 1024


class TooManyRefusals(Exception):
    """The caller has been refused so often lately that nobody is asked about it for a while."""


class Callers:
    """Counts wasted questions by caller. Only so many callers are remembered: the oldest are forgotten first."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._wasted: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def require(self, caller: str) -> None:
        """Raise `TooManyRefusals` if nobody may be asked about this caller now."""
        if self._count(caller) >= MOST_WASTED:
            raise TooManyRefusals

    def refused(self, caller: str) -> None:
        """A question about this caller was wasted."""
        count = self._count(caller)
        until = self._wasted.pop(caller)[0] if count else self._clock() + WINDOW_SECONDS
        self._wasted.pop(caller, None)
        self._wasted[caller] = until, count + 1
        while len(self._wasted) > _MOST_CALLERS:
            self._wasted.popitem(last=False)

    def _count(self, caller: str) -> int:
        until, count = self._wasted.get(caller, (0.0, 0))
        return count if self._clock() < until else 0
