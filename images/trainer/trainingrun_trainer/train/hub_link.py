"""Carries rank 0's news to the hub, and the hub's request to stop to rank 0, without ever making a step wait."""

from __future__ import annotations

import threading
import time
from typing import Any

import ray

_POLL_SECONDS = 0.5


class HubLink:
    """The attempt's driver as `reporter` knows it, by way of its hub."""

    def __init__(self, hub: Any):
        self._hub = hub
        self._stop = threading.Event()
        # A daemon thread: it must not keep a worker alive whose training function has ended.
        threading.Thread(target=self._watch, name="trainingrun-stop-watch", daemon=True).start()

    def is_stop_requested(self) -> bool:
        """See Driver. The hub is asked twice a second."""
        return self._stop.is_set()

    def publish(self, status: dict[str, Any]) -> None:
        """See Driver."""
        self._hub.publish.remote(status)

    def tell(self, kind: str, values: dict[str, Any]) -> None:
        """See Driver."""
        ray.get(self._hub.tell.remote(kind, values))

    def finish(self) -> None:
        """See Driver."""
        ray.get(self._hub.finish.remote())

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                if ray.get(self._hub.is_stop_requested.remote()):
                    self._stop.set()
            except ray.exceptions.RayError:
                return  # the driver and its hub are gone; Ray ends this worker too
            time.sleep(_POLL_SECONDS)
