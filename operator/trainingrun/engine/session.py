"""The HTTP session of the watches: the usual credentials, and every response is reported to `Watches`.

A watch begins with a list, of which only the version is needed: a resync lists everything after each one, because the
watches' own lists do not show what is gone. Reading all objects twice would double the cost of a start, and kopf
keeps a task and the body for each of them for a while; so these lists are asked for an object that cannot exist.
"""

from __future__ import annotations

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from trainingrun.engine.watch_health import Watches

# No object can have this name.
_NOTHING = "metadata.name=-"


def open_session(configuration: Configuration, watches: Watches) -> aiohttp.ClientSession:
    """A session that authenticates each request with the newest token: tokens are rotated. Its lists are empty."""

    async def authenticated(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        token = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            request.headers["Authorization"] = token
        if configuration.tls_server_name:
            request.server_hostname = configuration.tls_server_name
        is_watch = request.url.query.get("watch") == "true"
        if not is_watch:
            request.url = request.url.update_query(fieldSelector=_NOTHING)
        answer = await send(request)
        if answer.status < 400:
            watches.answered(request.url.path, is_watch=is_watch)
        return answer

    tls = RESTClientObject(configuration).ssl_context
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, limit=0),
        middlewares=(authenticated,),
        proxy=configuration.proxy,
        headers={"User-Agent": "trainingrun"},
    )
