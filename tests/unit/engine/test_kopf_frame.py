"""kopf around the work: it begins it, ends it, and hides nothing of how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client.configuration import Configuration

from trainingrun.engine.kopf_frame import run_framed

pytestmark = pytest.mark.usefixtures("own_logging")


def framed(work: Callable[[], Coroutine[Any, Any, None]], stop_after: float) -> float:
    """Run the work in the frame. Seconds until it has ended."""

    async def discovery(request: web.Request) -> web.Response:
        return web.json_response({"versions": [], "groups": [], "resources": []})

    async def main() -> float:
        loop, stop, configuration = asyncio.get_running_loop(), asyncio.Event(), Configuration()
        app = web.Application()
        app.router.add_get("/{path:.*}", discovery)
        async with TestServer(app) as server:
            configuration.host = str(server.make_url("")).rstrip("/")
            loop.call_later(stop_after, stop.set)
            began = loop.time()
            await run_framed(configuration, work, stop)
            return loop.time() - began

    return asyncio.run(main())


def test_the_work_is_ended_at_once_when_the_operator_stops() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    assert framed(work, 0.3) < 4 and ended == [True]


def test_what_the_work_raises_ends_the_frame_and_is_told() -> None:
    async def work() -> None:
        await asyncio.sleep(0.1)
        raise LookupError("the API server went back")

    with pytest.raises(LookupError, match="went back"):
        framed(work, 60)
