"""Carries rank 0's news to the hub, and the hub's request to stop to rank 0, without ever making a step wait."""

from __future__ import annotations

import threading
import time
from typing import Any

import ray

_POLL_SECONDS = 0.5
_STATUS_SECONDS = 1.0


class Reporter:
    """Talks to the hub. On ranks that do not report, every method does nothing."""

    def __init__(self, hub: Any, *, is_reporting: bool):
        self._hub = hub
        self._is_reporting = is_reporting
        self._next_status = 0.0
        self._stop = threading.Event()
        if is_reporting:
            # A daemon thread: it must not keep a worker alive whose training function has ended.
            threading.Thread(target=self._watch, name="trainingrun-stop-watch", daemon=True).start()

    def is_stop_requested(self) -> bool:
        """Whether the driver has asked for a checkpoint and an end."""
        return self._stop.is_set()

    def is_status_due(self, *, now: bool = False) -> bool:
        """Whether it is time for another status: `now`, or a second after the last one."""
        if not self._is_reporting or (not now and time.monotonic() < self._next_status):
            return False
        self._next_status = time.monotonic() + _STATUS_SECONDS
        return True

    def postpone_status(self) -> None:
        """Let the next status be due in a second."""
        self._next_status = time.monotonic() + _STATUS_SECONDS

    def publish(self, **status: Any) -> None:
        """Replace the status that the driver sees: fields of the record Progress."""
        if self._is_reporting:
            self._hub.publish.remote(status)

    def tell(self, kind: str, **values: Any) -> None:
        """Report an event that must not be lost: fields of the record `kind`."""
        if self._is_reporting:
            ray.get(self._hub.tell.remote(kind, values))

    def finish(self) -> None:
        """Say that every epoch is trained."""
        if self._is_reporting:
            ray.get(self._hub.finish.remote())

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                if ray.get(self._hub.is_stop_requested.remote()):
                    self._stop.set()
            except ray.exceptions.RayError:
                return  # the driver and its hub are gone; Ray ends this worker too
            time.sleep(_POLL_SECONDS)
