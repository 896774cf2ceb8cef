"""Keeps the cache in step with one kind of objects in one namespace, or in all: lists, then watches, as client-go does.

A list is read page by page and replaces what is known in one step, so that nobody ever sees half of it. A watch goes
on from where the list, or the watch before it, ended; where it cannot, everything is listed anew. Whatever keeps this
kind from being listed here ends nothing elsewhere: it is said in `problem`, and tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from trainingrun.contract.labels import GROUP
from trainingrun.engine.intake import Intake
from trainingrun.engine.readings import Reading, version_of
from trainingrun.kube import Api, ApiError, Expired, Forbidden, NotFound, Resource, Transient
from trainingrun.naming import managed_selector

logger = logging.getLogger(__name__)

# Of thousands of objects, few bodies are in memory at the same time.
_PAGE = 100
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
# The API server ends each watch after this time.
WATCH_SECONDS = 300
# A connection that nobody has closed may be dead all the same. Bookmarks come about once a minute.
_SILENCE_SECONDS = 150.0
# A watch may take so much longer to connect again while the API server is busy or being upgraded.
LIMIT_SECONDS = WATCH_SECONDS + 180.0
# After so many failures in a row, the version from which to watch may be what is wrong.
_MOST_FAILED_WATCHES = 6
# An API server that was restored from a backup lists some kind at a time before what is known, again and again.
_MOST_LISTS_FROM_THE_PAST = 3


class WentBack(Exception):
    """The API server's state is older than what was seen of it: only a fresh start can be right."""


class Informer:
    """One kind in one namespace (None: all). `problem` says why it cannot be listed, None while it can.

    `on_sight` is called whenever it has been listed after a problem.
    """

    def __init__(
        self,
        api: Api,
        intake: Intake,
        resource: Resource,
        namespace: str | None,
        jitter: Callable[[], float],
        on_sight: Callable[[], None],
    ):
        self.resource = resource
        self.namespace = namespace
        self.problem: str | None = f"{resource.plural} have not been listed yet"
        self._api = api
        self._intake = intake
        self._jitter = jitter
        self._on_sight = on_sight
        self._clock = asyncio.get_running_loop().time
        # Of our own kinds all; of others those that carry our label.
        self._selector = "" if resource.group == GROUP else managed_selector()
        self._version: str | None = None
        self._listing = asyncio.Lock()
        self._connected_at = float("-inf")
        self._failures = 0
        self._from_the_past = 0

    @property
    def age(self) -> float:
        """Seconds since the watch connected; infinite before it has."""
        return self._clock() - self._connected_at

    async def refresh(self) -> int:
        """List everything once, and replace what is known by it. Returns to how many runs that mattered.

        Raises `ApiError`, and `WentBack`.
        """
        async with self._listing:
            kind, known = self.resource.kind, self._intake.newest(self.resource.kind)
            readings, seen, version = list[Reading](), set[str](), ""
            async for page in self._api.pages(self.resource, self.namespace, selector=self._selector, limit=_PAGE):
                version = page.resource_version
                for body in page.items:
                    # Items of a list do not say what they are.
                    seen.add(str(body["metadata"]["uid"]))
                    reading = self._intake.read(kind, body)
                    if reading is not None and reading.value is not None:
                        readings.append(reading)
            self._check_time(version, known)
            mattered = self._intake.replace(kind, self.namespace, readings, seen, version)
            self._version = self._version or version
        if self.problem is not None:
            self.problem = None
            self._on_sight()
        return mattered

    async def refresh_until_it_succeeds(self) -> None:
        """List once, however long it takes: an incomplete cache must not lead to decisions."""
        while self.problem is not None:
            try:
                await self.refresh()
            except ApiError as error:
                await self._fail(error)

    async def try_to_refresh(self) -> None:
        """List once, if that succeeds at the first try: nothing depends on it."""
        with contextlib.suppress(ApiError, WentBack):
            await self.refresh()

    async def keep(self) -> None:
        """Watch for ever, and list whenever that is needed."""
        while True:
            try:
                if self._version is None:
                    await self.refresh()
                await self._watch()
            except ApiError as error:
                await self._fail(error)

    async def _watch(self) -> None:
        """Watch until the API server ends it."""
        began = self._clock()
        async with self._api.watch(
            self.resource,
            self.namespace,
            selector=self._selector,
            resource_version=self._version or "",
            seconds=WATCH_SECONDS,
            silence=_SILENCE_SECONDS,
        ) as changes:
            self._connected_at = self._clock()
            async for change, body in changes:
                if change != "BOOKMARK":
                    self._intake.take(self.resource.kind, change, body)
                self._version, self._failures = str(body["metadata"]["resourceVersion"]), 0
        # One that ends at once must not be asked for all the time.
        await asyncio.sleep(max(0.0, _FIRST_PAUSE - (self._clock() - began)))

    async def _fail(self, error: ApiError) -> None:
        """Judge a failure, and wait."""
        self._failures += 1
        if self.problem is not None or isinstance(error, Forbidden | NotFound):
            self.problem = _words(self.resource, error)
        is_passing = isinstance(error, Transient) and not isinstance(error, Expired)
        if not is_passing or self._failures >= _MOST_FAILED_WATCHES:
            self._version = None
        pause = min(_FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10), _LONGEST_PAUSE) * self._jitter()
        if isinstance(error, Transient) and error.retry_after is not None:
            pause = max(pause, error.retry_after)
        fields = {"kind": self.resource.kind, "namespace": self.namespace, "retryInSeconds": round(pause, 1)}
        logger.warning("cannot list or watch: %s", error, extra=fields)
        await asyncio.sleep(pause)

    def _check_time(self, version: str, known: int) -> None:
        """A list must not be older than what was known before it was requested."""
        listed = version_of({"resourceVersion": version})
        if listed == 0 or listed >= known:
            self._from_the_past = 0
            return
        self._from_the_past += 1
        words = f"{self.resource.plural} were listed at version {listed}, but {known} was seen before"
        if self._from_the_past >= _MOST_LISTS_FROM_THE_PAST:
            raise WentBack(words)
        raise Expired(words)


def _words(resource: Resource, error: ApiError) -> str:
    if isinstance(error, NotFound):
        return f"{resource.plural}.{resource.group} ({resource.api_version}) is not installed in the cluster"
    if isinstance(error, Forbidden):
        return f"the operator may not list {resource.plural}: {error.message}"
    return f"the API server cannot list {resource.plural}: {error.message}"
