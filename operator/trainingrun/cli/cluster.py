"""The connection of a subcommand to its cluster, and the one place that starts an event loop.

It must be imported only by a command that runs: it loads the Kubernetes client.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import click

from trainingrun.cli.cluster_errors import cluster_error, is_unknown_object
from trainingrun.cli.options import Target
from trainingrun.cli.problems import ClusterError, not_found
from trainingrun.kube import (
    Api,
    ApiError,
    Body,
    KubernetesTransport,
    NoCluster,
    NotFound,
    Transient,
    Unauthorized,
    context_namespace,
    load_configuration,
)
from trainingrun.kube.resources import TRAINING_RUNS
from trainingrun.status_page.advice import Caller

T = TypeVar("T")
_INTERRUPTED = 130
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
        return sorted(bodies, key=lambda body: (body["metadata"].get("namespace", ""), body["metadata"]["name"]))

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
                    click.echo(f"The API server does not respond, retrying: {error}", err=True)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def in_cluster(target: Target, program: str, work: Callable[[Session], Awaitable[T]]) -> T:
    """Connect, do the work and disconnect. Any problem with the cluster ends the program with one sentence."""
    try:
        return asyncio.run(_connected(target, program, work))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


async def _connected(target: Target, program: str, work: Callable[[Session], Awaitable[T]]) -> T:
    try:
        configuration = await load_configuration(target.kubeconfig, target.context)
        namespace = target.namespace or context_namespace(target.kubeconfig, target.context)
    except NoCluster as error:
        raise ClusterError(f"{error}. Choose a cluster with --kubeconfig, $KUBECONFIG or --context.") from error
    transport = KubernetesTransport(configuration)
    caller = Caller(program, target.cluster_flags)
    session = Session(Api(transport), transport, namespace, caller, target.all_namespaces)
    try:
        return await work(session)
    except ApiError as error:
        raise cluster_error(error, configuration.host, namespace) from error
    finally:
        await transport.close()
