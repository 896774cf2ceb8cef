"""An open connection to a cluster: what the command line and the Python client do there, they do through it.

It must be imported only where something is done: it loads what speaks HTTP. It must not start an event loop.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from trainingrun.client.problems import not_found
from trainingrun.client.refusals import cluster_error, is_unknown_object
from trainingrun.kube import (
    Api,
    ApiError,
    Body,
    Expired,
    KubernetesTransport,
    NotFound,
    Transient,
    Unauthorized,
    context_namespace,
    load_configuration,
)
from trainingrun.kube.resources import TRAINING_RUNS
from trainingrun.status_page.advice import Caller

T = TypeVar("T")
# Watches end silently when a connection is cut; servers send a bookmark about every minute.
_SILENCE_SECONDS = 90.0
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 15.0


@dataclass(frozen=True)
class Session:
    """An open connection, and what the command means by it.

    `caller` is how the user came here, for commands in messages; `everywhere` widens lists to all namespaces.
    """

    api: Api
    transport: KubernetesTransport
    namespace: str
    caller: Caller
    everywhere: bool = False

    async def run(self, name: str) -> Body:
        """The TrainingRun of this name. Without one, the error suggests similar names."""
        try:
            return await self.api.get(TRAINING_RUNS, self.namespace, name)
        except NotFound as error:
            if not is_unknown_object(error, name):
                raise
            names = [body["metadata"]["name"] for body in await self.runs()]
            raise not_found(name, self.namespace, names, f"{self.caller.program} get -A{self.caller.flags}") from error

    async def runs(self, selector: str = "") -> list[Body]:
        """The TrainingRuns of the namespace, or of all, by namespace and name."""
        bodies = await self.api.list(TRAINING_RUNS, None if self.everywhere else self.namespace, selector=selector)
        return sorted(bodies, key=_place)

    async def changes(self, selector: str = "") -> AsyncGenerator[list[Body]]:
        """All runs, then each that changes, on and on; one that was deleted comes once more, marked as such.

        It waits for the end of an outage of the API server, except at the start.
        """
        seen: dict[str, str] = {}
        pause = 0.0
        while True:
            try:
                async with aclosing(self._listed_and_watched(selector)) as found:
                    async for bodies in found:
                        pause = _PAUSE_SECONDS
                        if news := _news(bodies, seen):
                            yield news
            except (TimeoutError, Expired):
                pass  # The watch has fallen silent or cannot go on: what follows lists again.
            except Unauthorized:
                raise
            except Transient as error:
                if not pause:
                    raise
                print(f"The API server does not respond, retrying: {error}", file=sys.stderr)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def _listed_and_watched(self, selector: str) -> AsyncGenerator[list[Body]]:
        where = None if self.everywhere else self.namespace
        pages = [page async for page in self.api.pages(TRAINING_RUNS, where, selector=selector)]
        yield sorted((body for page in pages for body in page.items), key=_place)
        version = pages[-1].resource_version
        async with self.api.watch(TRAINING_RUNS, where, selector=selector, resource_version=version) as changes:
            while (change := await asyncio.wait_for(anext(changes, None), _SILENCE_SECONDS)) is not None:
                kind, body = change
                if kind == "DELETED":
                    body["metadata"].setdefault("deletionTimestamp", body["metadata"].get("creationTimestamp"))
                if kind != "BOOKMARK":
                    yield [body]

    async def versions(self, name: str) -> AsyncGenerator[Body | None]:
        """The run as it is now and after each change; None, as the last one, when it is deleted.

        It waits for the end of an outage of the API server, except at the start. A version may come twice.
        """
        body: Body | None = await self.run(name)
        uid = body["metadata"]["uid"] if body else ""
        while body is not None and body["metadata"]["uid"] == uid:
            yield body
            try:
                async for change in self._changes(name, body["metadata"]["resourceVersion"]):
                    yield change
            except Transient:
                pass  # What follows finds out whether the server is back.
            await asyncio.sleep(_PAUSE_SECONDS)
            body = await self._again(name)
        yield None

    async def _changes(self, name: str, version: str) -> AsyncGenerator[Body]:
        """What a watch reports of the run until it ends, falls silent, or the run is deleted."""
        watch = self.api.watch(TRAINING_RUNS, self.namespace, name=name, resource_version=version)
        async with watch as changes:
            try:
                while True:
                    kind, body = await asyncio.wait_for(anext(changes), _SILENCE_SECONDS)
                    if kind == "DELETED":
                        return
                    if kind != "BOOKMARK":
                        yield body
            except (StopAsyncIteration, TimeoutError):
                return

    async def _again(self, name: str) -> Body | None:
        """The run as it is now, as soon as the API server responds; None when there is none."""
        pause = _PAUSE_SECONDS
        while True:
            try:
                return await self.api.get(TRAINING_RUNS, self.namespace, name)
            except NotFound:
                return None
            except Unauthorized:
                raise
            except Transient as error:
                if pause == _PAUSE_SECONDS:
                    print(f"The API server does not respond, retrying: {error}", file=sys.stderr)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _place(body: Body) -> tuple[str, str]:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _news(bodies: list[Body], seen: dict[str, str]) -> list[Body]:
    """Those that are not as they were seen before, which they are from now on."""
    news = [body for body in bodies if seen.get(body["metadata"]["uid"]) != body["metadata"]["resourceVersion"]]
    seen.update({body["metadata"]["uid"]: body["metadata"]["resourceVersion"] for body in news})
    return news


async def connected(
    work: Callable[[Session], Awaitable[T]],
    program: str,
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    namespace: str | None = None,
    flags: str = "",
    everywhere: bool = False,
) -> T:
    """Connect, do the work and disconnect. `program` and `flags` are how commands are shown that users may paste.

    Raises `NoCluster`, and `ClusterError` for any problem with the cluster that the work leaves to others.
    """
    configuration = await load_configuration(kubeconfig, context)
    chosen = namespace or context_namespace(kubeconfig, context)
    transport = KubernetesTransport(configuration)
    session = Session(Api(transport), transport, chosen, Caller(program, flags), everywhere)
    try:
        return await work(session)
    except ApiError as error:
        raise cluster_error(error, configuration.host, chosen) from error
    finally:
        await transport.close()
