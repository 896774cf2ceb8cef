"""All that is watched: every kind of every namespace that is served, each namespace by itself.

A run is reconciled only while everything of its namespace is known. A namespace that may not be listed, or is no
longer there, is said and tried again, and holds up no other. Runtimes that may not be listed hold up nothing but the
runs that name one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from trainingrun.engine.informer import LIMIT_SECONDS, Informer
from trainingrun.engine.intake import Intake
from trainingrun.engine.metrics import Metrics
from trainingrun.kube import Api, ApiError, Resource
from trainingrun.kube.resources import CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES, WATCHED

logger = logging.getLogger(__name__)


class Informers:
    """The informers of these namespaces (None: one set for all), in the order in which they must list at first."""

    def __init__(
        self,
        api: Api,
        intake: Intake,
        metrics: Metrics,
        namespaces: Sequence[str | None],
        jitter: Callable[[], float],
    ):
        self._intake = intake
        self._metrics = metrics
        self._jitter = jitter
        self._any_synced = asyncio.Event()

        def informer(resource: Resource, namespace: str | None) -> Informer:
            return Informer(api, intake, resource, namespace, jitter, lambda: self._on_sight(namespace))

        self._of = {namespace: tuple(informer(resource, namespace) for resource in WATCHED) for namespace in namespaces}
        self._runtimes = (
            *(informer(TRAINING_RUNTIMES, namespace) for namespace in namespaces),
            informer(CLUSTER_TRAINING_RUNTIMES, None),
        )

    def is_synced(self, namespace: str | None) -> bool:
        """Whether everything of this namespace is known."""
        informers = self._of.get(namespace, self._of.get(None, ()))
        return bool(informers) and all(informer.problem is None for informer in informers)

    @property
    def is_any_synced(self) -> bool:
        """Whether everything of some namespace is known."""
        return any(map(self.is_synced, self._of))

    def unserved(self) -> dict[str | None, str]:
        """Why a namespace is not served now, by its name."""
        problems = {
            namespace: next((informer.problem for informer in informers if informer.problem is not None), None)
            for namespace, informers in self._of.items()
        }
        return {namespace: problem for namespace, problem in problems.items() if problem is not None}

    def stale(self) -> list[str]:
        """The plurals of which a watch of a served namespace is not known to be alive."""
        return [informer.resource.plural for informer in self._synced() if informer.age > LIMIT_SECONDS]

    def age(self, plural: str) -> float:
        """Seconds since the watches of a kind connected, that of the oldest; infinite before any has."""
        ages = [informer.age for informer in self._synced() if informer.resource.plural == plural]
        return max(ages, default=float("inf"))

    async def wait(self) -> None:
        """Return when everything of some namespace is known."""
        await self._any_synced.wait()

    async def keep(self) -> None:
        """Keep every namespace in step, for ever."""
        await self._look_for_runtimes()
        async with asyncio.TaskGroup() as group:
            for informer in self._runtimes:
                group.create_task(informer.keep())
            for informers in self._of.values():
                group.create_task(self._keep(informers))

    async def first(self) -> None:
        """List everything of every namespace once, however long it takes."""
        await self._look_for_runtimes()
        async with asyncio.TaskGroup() as group:
            for informers in self._of.values():
                group.create_task(self._first(informers))

    async def compare(self) -> int:
        """List everything that can be listed, and repair what watches have missed. Returns how many repairs mattered.

        Raises `ApiError` if some of it failed, after all was tried.
        """
        repairs, failure = 0, None
        for informer in self._synced():
            try:
                repairs += await informer.refresh()
            except ApiError as error:
                failure = error
        self._metrics.repairs.inc(repairs)
        if failure is not None:
            raise failure
        return repairs

    async def keep_comparing(self, interval: float) -> None:
        """Compare every `interval` seconds or so. Failures are told, not raised: the next time is soon enough."""
        while True:
            await asyncio.sleep(interval * self._jitter())
            try:
                repairs = await self.compare()
            except ApiError as error:
                logger.warning("the comparison with the API server failed: %s", error)
            else:
                logger.info("compared", extra={"repairs": repairs})

    async def _look_for_runtimes(self) -> None:
        """Before anything else, so that no run is told that its runtime does not exist while nobody has looked."""
        await asyncio.gather(*(informer.try_to_refresh() for informer in self._runtimes))

    async def _first(self, informers: tuple[Informer, ...]) -> None:
        """A run's status names children that it has seen: children are listed after it, and are never older."""
        for informer in informers:
            await informer.refresh_until_it_succeeds()

    async def _keep(self, informers: tuple[Informer, ...]) -> None:
        await self._first(informers)
        async with asyncio.TaskGroup() as group:
            for informer in informers:
                group.create_task(informer.keep())

    def _on_sight(self, namespace: str | None) -> None:
        """What came before everything was known was left alone."""
        if self.is_synced(namespace):
            self._any_synced.set()
            self._intake.add_all(namespace)

    def _synced(self) -> list[Informer]:
        listed = [each for namespace, group in self._of.items() if self.is_synced(namespace) for each in group]
        return [*listed, *(informer for informer in self._runtimes if informer.problem is None)]
