"""Whether the watches are alive, seen from their requests: kopf's handlers get neither bookmarks nor lists.

A live watch reconnects at least every few minutes, so one that has not for long is not alive. And a list after the
first one means that deletions may have been missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from trainingrun.kube import Resource

# kopf ends each watch after this time at the latest, and one that is silent earlier.
WATCH_SECONDS = 300
# It may take this much longer to connect again while the API server is busy or being upgraded.
LIMIT_SECONDS = WATCH_SECONDS + 180


class Stream(NamedTuple):
    """One watch: a kind, in one namespace or in all (None)."""

    plural: str
    namespace: str | None


class Watches:
    """When each watch last connected. `on_list` is called when one has listed again and is connected after that."""

    def __init__(self, resources: Iterable[Resource], namespaces: Sequence[str | None], on_list: Callable[[], None]):
        self._clock = asyncio.get_running_loop().time
        self._connected: dict[Stream, float | None] = {
            Stream(resource.plural, namespace): None for resource in resources for namespace in namespaces
        }
        self._listed: set[Stream] = set()
        self._on_list = on_list
        self._all_connected = asyncio.Event()

    def answered(self, path: str, *, is_watch: bool) -> None:
        """Note that a watch's request for this path succeeded."""
        stream = _stream(path)
        if stream not in self._connected:
            return
        if not is_watch:
            self._listed.add(stream)
            return
        self._connected[stream] = self._clock()
        is_first = not self._all_connected.is_set()
        if None not in self._connected.values():
            self._all_connected.set()
        if stream in self._listed:
            self._listed.discard(stream)
            if not is_first:
                self._on_list()

    async def wait(self) -> None:
        """Return when every watch has listed and connected once."""
        await self._all_connected.wait()

    def age(self, plural: str) -> float:
        """Seconds since the watches of a kind connected, that of the oldest; infinite before they all have."""
        times = [time for stream, time in self._connected.items() if stream.plural == plural]
        return self._clock() - min(time if time is not None else float("-inf") for time in times)

    def stale(self) -> list[Stream]:
        """The watches that are not known to be alive."""
        now = self._clock()
        return [stream for stream, time in self._connected.items() if time is None or now - time > LIMIT_SECONDS]


def _stream(path: str) -> Stream:
    parts = path.strip("/").split("/")
    namespace = parts[-2] if len(parts) > 2 and parts[-3] == "namespaces" else None
    return Stream(parts[-1], namespace)
