"""Carries requests to the API server: the one place that sends bytes.

Connections, TLS and credentials are `kubernetes.aio`'s. Bodies are raw JSON on the way in and on the way out,
because validating each of them with the client's models costs several times more than the request. It must not
judge answers, and it never retries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from trainingrun.kube.channels import Channel, command_in_pod
from trainingrun.kube.errors import Transient
from trainingrun.kube.yaml_text import as_yaml

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
_HEADERS = {"Accept": f"{JSON}, */*", "User-Agent": "trainingrun"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `timeout` is for the whole answer; None for a stream. `silence` is the longest between two bytes."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    content_type: str = JSON
    timeout: float | None = 30.0
    silence: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """A response, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """What `Api` needs of a connection. A connection that fails raises `Transient`."""

    async def send(self, request: Request) -> Response:
        """Send the request and read the whole answer."""
        ...

    def stream(self, request: Request) -> Any:
        """An asynchronous context manager that gives the status and an iterator of lines."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class KubernetesTransport:
    """The transport over HTTP."""

    def __init__(self, configuration: Configuration):
        self._configuration = configuration
        self._rest: Any = RESTClientObject(configuration)

    async def send(self, request: Request) -> Response:
        """Send the request and read the whole answer."""
        with _as_transient(request):
            answer = await self._open(request)
            return Response(answer.status, answer.headers, await answer.read())

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[tuple[Response, AsyncIterator[bytes]]]:
        """The answer's status, and its lines as they come. The body is read at once if the status is an error."""
        answer = None
        try:
            with _as_transient(request):
                answer = await self._open(request)
                body = await answer.read() if answer.status >= 400 else b""
            yield Response(answer.status, answer.headers, body), _lines(request, answer.response)
        finally:
            if answer is not None:
                answer.response.close()

    def command(
        self, namespace: str, pod: str, container: str, words: Sequence[str]
    ) -> AbstractAsyncContextManager[Channel]:
        """A command in a running container, as its input and its output."""
        if self._rest.pool_manager is None:
            self._rest.pool_manager = self._rest._create_pool_manager()
        return command_in_pod(self._rest.pool_manager, self._configuration, namespace, pod, container, words)

    async def close(self) -> None:
        """Close the connections."""
        await self._rest.close()

    async def _open(self, request: Request) -> Any:
        url = self._configuration.host + request.path
        if request.query:
            url += "?" + urlencode(request.query)
        body: Any = request.body
        content_type = request.content_type
        if content_type == APPLY:
            # The client writes JSON unless the type has a parameter.
            body, content_type = as_yaml(body), f"{APPLY}; charset=utf-8"
        headers = {**_HEADERS, "Content-Type": content_type, **request.headers}
        token = await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            headers["Authorization"] = token
        limit = aiohttp.ClientTimeout(total=request.timeout, sock_connect=10.0, sock_read=request.silence)
        return await self._rest.request(request.method, url, headers=headers, body=body, _request_timeout=limit)


async def _lines(request: Request, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Whole lines, however long: aiohttp's own iteration fails for lines above its buffer's size."""
    rest = b""
    chunks = aiter(response.content.iter_any())
    while True:
        with _as_transient(request):
            chunk = await anext(chunks, None)
        if chunk is None:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


@contextmanager
def _as_transient(request: Request) -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Transient(f"{request.method} {request.path}: {_words(error)}") from error


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no response in time"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the connection was cut off during the response"
    return str(error) or type(error).__name__
