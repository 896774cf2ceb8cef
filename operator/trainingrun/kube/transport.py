"""Carries requests to the API server: the one place that sends bytes.

Bodies are raw JSON on the way in and on the way out: the models of a full client would cost several times more than the
requests. It must not judge answers, and it never retries.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from trainingrun.kube.configuration import Configuration
from trainingrun.kube.credentials import NoCredentials
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
        self._opened: aiohttp.ClientSession | None = None

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
            yield Response(answer.status, answer.headers, body), _lines(request, answer)
        finally:
            if answer is not None:
                answer.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.close()

    async def _open(self, request: Request) -> aiohttp.ClientResponse:
        headers = {**_HEADERS, "Content-Type": request.content_type, **request.headers}
        authorization = await self._configuration.credentials.header()
        if authorization:
            headers["Authorization"] = authorization
        return await self._session.request(
            request.method,
            URL(self._configuration.host + request.path + _query(request), encoded=True),
            headers=headers,
            data=_data(request),
            timeout=aiohttp.ClientTimeout(total=request.timeout, sock_connect=10.0, sock_read=request.silence),
            server_hostname=self._configuration.tls_server_name,
            proxy=self._configuration.proxy,
            allow_redirects=False,
        )

    @property
    def _session(self) -> aiohttp.ClientSession:
        # It belongs to the event loop that runs when it is made.
        if self._opened is None:
            # Each watch holds a connection, and there are four for each namespace that is served by itself.
            connector = aiohttp.TCPConnector(limit=0, ssl=self._configuration.tls or True)
            self._opened = aiohttp.ClientSession(connector=connector, trust_env=False, read_bufsize=2**21)
        return self._opened


def _query(request: Request) -> str:
    return f"?{urlencode(request.query)}" if request.query else ""


def _data(request: Request) -> bytes | None:
    if request.body is None:
        return None
    return as_yaml(request.body) if request.content_type == APPLY else json.dumps(request.body).encode()


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
    except (aiohttp.ClientError, TimeoutError, OSError, NoCredentials) as error:
        raise Transient(f"{request.method} {request.path}: {_words(error)}") from error


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no response in time"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the connection was cut off during the response"
    return str(error) or type(error).__name__
