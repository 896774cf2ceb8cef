"""Posts Kubernetes Events about runs, in the background: nothing waits for them or fails with them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from trainingrun.contract.labels import API_VERSION, FIELD_MANAGER, KIND
from trainingrun.kube import Api, ApiError
from trainingrun.kube.resources import EVENTS
from trainingrun.lifecycle.events import Event
from trainingrun.observed import RunObject

logger = logging.getLogger(__name__)

# Events tell users what happened recently. When the API server cannot keep up, new ones are dropped.
_MAX_WAITING = 1000
_MAX_MESSAGE = 1024


class EventPoster:
    """Sends Events one after the other."""

    def __init__(self, api: Api, now: Callable[[], datetime], instance: str):
        self._api = api
        self._now = now
        self._instance = instance
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_MAX_WAITING)

    def post(self, run: RunObject, event: Event) -> None:
        """Send an Event about the run soon."""
        try:
            self._waiting.put_nowait(self._body(run, event))
        except asyncio.QueueFull:
            logger.warning("an Event was dropped", extra={"run": f"{run.namespace}/{run.name}", "reason": event.reason})

    async def work(self) -> None:
        """Send Events forever."""
        while True:
            body = await self._waiting.get()
            try:
                await self._api.create(EVENTS, body["metadata"]["namespace"], body, seconds=5.0)
            except ApiError as error:
                logger.warning("an Event could not be posted: %s", error, extra={"reason": body["reason"]})
            finally:
                self._waiting.task_done()

    async def flush(self, seconds: float) -> None:
        """Wait until pending Events have been sent, at most for this long."""
        try:
            async with asyncio.timeout(seconds):
                await self._waiting.join()
        except TimeoutError:
            logger.warning("%d Events were not sent before shutdown", self._waiting.qsize())

    def _body(self, run: RunObject, event: Event) -> dict[str, Any]:
        now = self._now()
        time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        # The same Event of the same moment has the same name, so that a repeated post is refused.
        digest = hashlib.sha256(f"{run.uid}{now.timestamp()}{event}".encode()).hexdigest()[:16]
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"namespace": run.namespace, "name": f"{run.name}.{digest}"},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "namespace": run.namespace,
                "name": run.name,
                "uid": run.uid,
                "resourceVersion": run.resource_version,
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message[:_MAX_MESSAGE],
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
            "reportingInstance": self._instance,
        }
