"""Requests to the API server with aiohttp and nothing else: the measure for our own client, and the bench's hands."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import aiohttp
from control_plane import ControlPlane

Object = dict[str, Any]
Item = TypeVar("Item")
Made = TypeVar("Made")
JSON, APPLY, MERGE = "application/json", "application/apply-patch+yaml", "application/merge-patch+json"
IN_FLIGHT = 32


class PlainClient:
    """Speaks as whoever has this token. Use it as a context manager."""

    def __init__(self, plane: ControlPlane, token: str):
        self._url = plane.url
        self._connector = aiohttp.TCPConnector(
            ssl=ssl.create_default_context(cafile=str(plane.certificates.ca)), limit=2 * IN_FLIGHT
        )
        self._headers = {"Authorization": f"Bearer {token}", "Accept": JSON}

    async def __aenter__(self) -> PlainClient:
        self._session = aiohttp.ClientSession(connector=self._connector, headers=self._headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, method: str, path: str, body: Object | None = None, content: str = JSON) -> Object:
        """The server's answer. Raises if it is a refusal."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": content}
        async with self._session.request(method, self._url + path, data=data, headers=headers) as answer:
            text = await answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:500].decode(errors='replace')}")
            return dict(json.loads(text))


async def each(
    items: Iterable[Item], make: Callable[[Item], Awaitable[Made]], in_flight: int = IN_FLIGHT
) -> list[Made]:
    """What `make` gives for each item, so many of them at a time."""
    turn = asyncio.Semaphore(in_flight)

    async def made(item: Item) -> Made:
        async with turn:
            return await make(item)

    return list(await asyncio.gather(*(made(item) for item in items)))


async def paced(items: Iterable[Item], make: Callable[[Item], Awaitable[object]], seconds: float) -> None:
    """Begin with `make` of each item at equal distances over so many seconds, and wait for all of them."""
    everything = list(items)
    loop = asyncio.get_running_loop()
    began, tasks = loop.time(), []
    for number, item in enumerate(everything):
        await asyncio.sleep(max(0.0, began + number * seconds / len(everything) - loop.time()))
        tasks.append(asyncio.ensure_future(make(item)))
    await asyncio.gather(*tasks)
