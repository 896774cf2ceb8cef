"""Times how long a device has had nothing to do for want of rows.

A wait that begins while the device still computes costs nothing until the device is done: on a GPU, whose work is only
queued by the training process, that is most of them. It must not make the device wait for anything.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

# How often to look whether a busy device is done: the error of what is measured.
_LOOK_SECONDS = 0.002
_LONGEST_SECONDS = 60.0


class Waiting:
    """Adds up seconds. `is_idle` says whether the device has done all that it was given; `now` is in seconds."""

    def __init__(self, is_idle: Callable[[], bool], now: Callable[[], float] = time.monotonic):
        self._is_idle = is_idle
        self._now = now
        self._seconds = 0.0

    def until(self, is_ready: Callable[[float], bool], timeout: float = math.inf) -> bool:
        """Call `is_ready`, which waits for at most the seconds it is given, until it is true or `timeout` is over."""
        if is_ready(0.0):
            return True
        began = self._now()
        idle_since = began if self._is_idle() else None
        while True:
            left = began + timeout - self._now()
            was_ready = is_ready(max(0.0, min(left, _LONGEST_SECONDS if idle_since is not None else _LOOK_SECONDS)))
            now = self._now()
            if idle_since is None and self._is_idle():
                idle_since = now
            if was_ready or now - began >= timeout:
                self._seconds += now - idle_since if idle_since is not None else 0.0
                return was_ready

    def during(self, wait: Callable[[], object]) -> None:
        """Call `wait`, which nothing can interrupt; it counts if the device is idle as it begins."""
        began, was_idle = self._now(), self._is_idle()
        wait()
        self._seconds += self._now() - began if was_idle else 0.0

    def taken(self) -> float:
        """The seconds that were added since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds
