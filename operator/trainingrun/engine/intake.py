"""From what a watch or a list delivers to the cache and the queue, in one step that nothing can interrupt.

It must not await: between the change of the cache and the entry in the queue, nothing else may run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from trainingrun.engine.cache import Cache
from trainingrun.engine.keys import Key
from trainingrun.engine.queue import WorkQueue
from trainingrun.engine.readings import Reading

logger = logging.getLogger(__name__)

# No object from an API server should be unreadable; if one is, it must not stop the others.
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


class Intake:
    """Takes objects in."""

    def __init__(self, cache: Cache, queue: WorkQueue[Key]):
        self._cache = cache
        self._queue = queue
        self._clock = asyncio.get_running_loop().time
        self._last_event: dict[str, float] = {}

    def take(self, kind: str, change: str, body: Mapping[str, Any]) -> None:
        """Take in a change that a watch has told: ADDED, MODIFIED or DELETED."""
        self._last_event[kind] = self._clock()
        try:
            key = self._cache.forget(kind, body) if change == "DELETED" else self._cache.put(kind, body)
        except _UNREADABLE:
            _tell_unreadable(kind)
        else:
            if key is not None:
                self._queue.add(key)
            self._add_woken()

    def read(self, kind: str, body: Mapping[str, Any]) -> Reading | None:
        """Read an object of a list that is not complete yet; None for one that nobody can read."""
        try:
            return self._cache.read(kind, body)
        except _UNREADABLE:
            _tell_unreadable(kind)
            return None

    def replace(
        self, kind: str, namespace: str | None, readings: Iterable[Reading], seen: Collection[str], version: str
    ) -> int:
        """Take in a complete list of a kind, in a namespace or in all. Returns to how many runs it mattered."""
        self._last_event[kind] = self._clock()
        keys = self._cache.replace(kind, namespace, readings, seen, version)
        for key in keys:
            self._queue.add(key)
        self._add_woken()
        return len(keys)

    def add_all(self, namespace: str | None) -> None:
        """Have every run of a namespace, or of all, reconciled."""
        for key in list(self._cache.keys()):
            if namespace in (None, key.namespace):
                self._queue.add(key)

    def _add_woken(self) -> None:
        """Have the runs reconciled that wait for a runtime of which there is news."""
        for key in self._cache.runtimes.take_woken():
            self._queue.add(key)

    def newest(self, kind: str) -> int:
        """The newest version that was seen of a kind."""
        return self._cache.newest(kind)

    def age(self, kind: str) -> float:
        """Seconds since something of this kind was taken in; infinite before the first."""
        return self._clock() - self._last_event.get(kind, float("-inf"))


def _tell_unreadable(kind: str) -> None:
    logger.exception("an object could not be read because of an unexpected error (please report)", extra={"kind": kind})
