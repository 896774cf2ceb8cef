"""From what a watch or a list delivers to the cache and the queue, in one step that nothing can interrupt.

It must not await: between the change of the cache and the entry in the queue, nothing else may run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from trainingrun.engine.cache import Cache, Key
from trainingrun.engine.queue import WorkQueue

logger = logging.getLogger(__name__)


class Intake:
    """Takes objects in."""

    def __init__(self, cache: Cache, queue: WorkQueue[Key]):
        self._cache = cache
        self._queue = queue
        self._clock = asyncio.get_running_loop().time
        self._last_event: dict[str, float] = {}

    def take(self, kind: str, change: str | None, body: Mapping[str, Any]) -> bool:
        """Take in a change: ADDED, MODIFIED, DELETED, or None for an object of a list. Whether it matters to a run."""
        self._last_event[kind] = self._clock()
        try:
            key = self._cache.forget(kind, body) if change == "DELETED" else self._cache.put(kind, body)
        except (KeyError, TypeError, ValueError, AttributeError):
            # No object from an API server should be unreadable; if one is, it must not stop the others.
            logger.exception(
                "an object could not be read because of an unexpected error (please report)", extra={"kind": kind}
            )
            return False
        if key is not None:
            self._queue.add(key)
        return key is not None

    def forget(self, kind: str, uid: str) -> bool:
        """Take in that an object is gone although no watch reported it. Whether it matters to a run."""
        key = self._cache.forget_uid(kind, uid)
        if key is not None:
            self._queue.add(key)
        return key is not None

    def age(self, kind: str) -> float:
        """Seconds since something of this kind was taken in; infinite before the first."""
        return self._clock() - self._last_event.get(kind, float("-inf"))
