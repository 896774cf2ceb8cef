"""The frame of the process, kopf: the only module that imports it, so that it can be replaced.

It begins the operator's work, logs in and finds its way around the API server, and at a signal ends the work with all
that the work has begun. It watches nothing and keeps no state on our objects: no handlers of changes, no finalizers, no
annotations, no peering. What is watched is the business of `informers`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import aiohttp
import kopf
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject

# Only peering, which is off, would use it.
_IDENTITY = "trainingrun"
# Below the grace period of the pod.
STOP_SECONDS = 20.0


class _ForEver:
    """Pauses between attempts to reach the API server: what is watched does not depend on what kopf finds there."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1, 2, 4, 8, 15, 30), itertools.repeat(60))


async def run_framed(
    configuration: Configuration, work: Callable[[], Coroutine[Any, Any, None]], stop: asyncio.Event
) -> None:
    """Do the work until `stop` is set or a signal comes. Raises what the work raises."""
    over, working = asyncio.Event(), list[asyncio.Task[None]]()
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry, id="work")
    async def begin(**_: Any) -> None:
        working.append(asyncio.create_task(work(), name="work"))
        working[0].add_done_callback(lambda _: over.set())

    @kopf.on.cleanup(registry=registry, id="work")
    async def end(**_: Any) -> None:
        # kopf waits for what does not end by itself.
        for task in working:
            task.cancel()

    @kopf.on.login(registry=registry, id="login")
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=configuration.host, aiohttp_session=_session(configuration))

    stopping = asyncio.create_task(_follow(stop, over))
    try:
        await kopf.operator(
            registry=registry,
            settings=_settings(),
            # Without one, kopf looks up the name of its user, which need not exist in a container.
            identity=_IDENTITY,  # type: ignore[arg-type]  # kopf does not export its type, which is str's
            standalone=True,
            clusterwide=True,
            stop_flag=over,
        )
    finally:
        stopping.cancel()
    for task in working:
        if not task.cancelled():
            await task


async def _follow(stop: asyncio.Event, over: asyncio.Event) -> None:
    await stop.wait()
    over.set()


def _session(configuration: Configuration) -> aiohttp.ClientSession:
    """A session that authenticates each request with the newest token: tokens are rotated."""

    async def authenticated(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        token = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            request.headers["Authorization"] = token
        if configuration.tls_server_name:
            request.server_hostname = configuration.tls_server_name
        return await send(request)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=RESTClientObject(configuration).ssl_context),
        middlewares=(authenticated,),
        proxy=configuration.proxy,
        headers={"User-Agent": "trainingrun"},
    )


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = _ForEver()
    settings.process.ultimate_exiting_timeout = STOP_SECONDS
    return settings
