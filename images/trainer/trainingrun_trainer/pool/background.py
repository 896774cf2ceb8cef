"""Work that goes on beside the hub's calls, and what becomes of it where it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Background:
    """Keeps such work; `broke` is told the error of whatever ends with one."""

    def __init__(self, broke: Callable[[Exception], None]):
        self._broke = broke
        self._running: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin with it, in the running event loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broke(error if isinstance(error, Exception) else RuntimeError(repr(error)))
