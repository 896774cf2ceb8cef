"""Compares the cache with what the API server lists, now and then and after every list of the watches.

Watches lose deletions when they have to list again, and whatever else they may lose is found here. It must list runs
before their children: see `kube.resources.WATCHED`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from trainingrun.engine.cache import Cache, version_of
from trainingrun.engine.intake import Intake
from trainingrun.engine.metrics import Metrics
from trainingrun.kube import Api, ApiError, Expired, Resource
from trainingrun.kube.resources import TRAINING_RUNS, WATCHED
from trainingrun.naming import managed_selector

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 120.0
# Of thousands of objects, few bodies are in memory at the same time.
_PAGE = 100
# An API server that was restored from a backup lists some kind at a time before what is known, in every resync.
_MOST_LISTS_FROM_THE_PAST = 3


class WentBack(Exception):
    """The API server's state is older than what was seen of it: only a fresh start can be right."""


def selector_of(resource: Resource) -> str:
    """Which objects of a kind concern this operator."""
    return "" if resource is TRAINING_RUNS else managed_selector()


class Resync:
    """Lists every watched kind of the namespaces that are served (None: all)."""

    def __init__(self, api: Api, cache: Cache, intake: Intake, metrics: Metrics, namespaces: Sequence[str | None]):
        self._api = api
        self._cache = cache
        self._intake = intake
        self._metrics = metrics
        self._namespaces = namespaces
        self._from_the_past = 0
        self._wanted = asyncio.Event()
        self._is_first_done = False

    def want(self) -> None:
        """Request one soon."""
        self._wanted.set()

    async def run(self) -> int:
        """List everything once and repair the cache. Returns how many repairs mattered."""
        repairs = 0
        for resource in WATCHED:
            for namespace in self._namespaces:
                repairs += await self._list(resource, namespace)
        self._from_the_past = 0
        if self._is_first_done:
            self._metrics.repairs.inc(repairs)
        self._is_first_done = True
        return repairs

    async def first(self, jitter: Callable[[], float]) -> None:
        """Run once successfully, however long it takes: an incomplete cache must not lead to decisions."""
        failures = 0
        while True:
            try:
                await self.run()
                return
            except ApiError as error:
                failures += 1
                await asyncio.sleep(_pause(failures, jitter, error))

    async def keep(self, interval: float, jitter: Callable[[], float]) -> None:
        """Run every `interval` seconds or so, and soon after a request. Failures are retried, not raised."""
        pause, failures = interval * jitter(), 0
        while True:
            await (asyncio.sleep(pause) if failures else self._wait(pause))
            self._wanted.clear()
            try:
                repairs = await self.run()
            except ApiError as error:
                failures += 1
                pause = _pause(failures, jitter, error)
            else:
                pause, failures = interval * jitter(), 0
                logger.info("resynced", extra={"repairs": repairs, **self._cache.sizes()})

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wanted.wait()
        except TimeoutError:
            pass

    async def _list(self, resource: Resource, namespace: str | None) -> int:
        known, seen = self._cache.newest(resource.kind), list[str]()
        version, repairs = "", 0
        async for page in self._api.pages(resource, namespace, selector=selector_of(resource), limit=_PAGE):
            version = page.resource_version
            for body in page.items:
                # Items of a list do not say what they are.
                seen.append(str(body["metadata"]["uid"]))
                repairs += self._intake.take(resource.kind, None, body)
        self._check_time(resource, version, known)
        for uid in self._cache.absent(resource.kind, namespace, seen, version):
            repairs += self._intake.forget(resource.kind, uid)
        return repairs

    def _check_time(self, resource: Resource, version: str, known: int) -> None:
        """A list must not be older than what was known before it was requested."""
        listed = version_of({"resourceVersion": version})
        if listed == 0 or listed >= known:
            return
        self._from_the_past += 1
        if self._from_the_past >= _MOST_LISTS_FROM_THE_PAST:
            raise WentBack(f"{resource.plural} are listed at version {listed}, but {known} was seen before")
        raise Expired(f"{resource.plural} were listed at version {listed}, but {known} was seen before")


def _pause(failures: int, jitter: Callable[[], float], error: ApiError) -> float:
    pause = min(_FIRST_PAUSE * 2.0 ** min(failures - 1, 10), _LONGEST_PAUSE) * jitter()
    logger.warning("resync failed: %s", error, extra={"retryInSeconds": round(pause, 1)})
    return pause
