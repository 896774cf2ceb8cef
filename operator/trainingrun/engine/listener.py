"""Serves HTTP to callers of whom nothing is known yet: none of them can cost more than a fixed share.

A connection of TLS takes about 300 KiB from its first byte on. So the number of connections is bounded, in all and
for each address, as is the time of a handshake, of a request's arrival and of a whole connection. What is beyond is
closed when it is accepted, before anything is kept of it. It must not look at what is asked.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from typing import cast

from aiohttp import web

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 192
# Pods of one node may share an address, and report once in ten seconds for a few milliseconds.
MOST_OF_ONE_ADDRESS = 32
HANDSHAKE_SECONDS = 5.0
# No further request is waited for after this time, and one whose headers are not complete is given up.
REQUESTS_SECONDS = 10.0
# Longer than the requests to the API server that an answer may need.
LONGEST_SECONDS = 60.0
_GOODBYE_SECONDS = 2.0
_BACKLOG = 128


class _Handler(web.RequestHandler):
    """One connection; `ended` is done when it is over."""

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop):
        # There is no log of requests.
        super().__init__(server, loop=loop, access_log=None, keepalive_timeout=REQUESTS_SECONDS)  # type: ignore[arg-type]
        self.ended: asyncio.Future[None] = loop.create_future()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if not self.ended.done():
            self.ended.set_result(None)

    def expire(self) -> None:
        """Finish what is being answered, and nothing else."""
        if self._current_request is None:
            self.force_close()
        else:
            self.close()


class Listener:
    """A socket and the connections that were accepted from it."""

    def __init__(self, runner: web.AppRunner, listening: socket.socket, tls: ssl.SSLContext | None):
        self._runner = runner
        self._socket = listening
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._of_address: Counter[str] = Counter()
        self._connections: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._socket.getsockname()[1])

    async def cleanup(self) -> None:
        """Stop listening, and end the connections when what they have asked is answered."""
        self._accepting.cancel()
        self._socket.close()
        await self._runner.cleanup()
        for task in self._connections:
            task.cancel()

    async def _accept(self) -> None:
        while True:
            try:
                connection, peer = await self._loop.sock_accept(self._socket)
            except OSError as error:
                logger.warning("a connection could not be accepted: %s", error)
                await asyncio.sleep(1.0)
                continue
            address = str(peer[0])
            if len(self._connections) >= MOST_CONNECTIONS or self._of_address[address] >= MOST_OF_ONE_ADDRESS:
                connection.close()
                continue
            self._of_address[address] += 1
            task = asyncio.create_task(self._hold(connection, address))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _hold(self, connection: socket.socket, address: str) -> None:
        try:
            await self._serve(connection)
        except OSError:
            # Whoever comes without TLS, or goes in the middle of it.
            connection.close()
        finally:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    async def _serve(self, connection: socket.socket) -> None:
        # The runner has been set up before.
        handler = _Handler(cast(web.Server, self._runner.server), self._loop)
        seconds = (HANDSHAKE_SECONDS, _GOODBYE_SECONDS) if self._tls is not None else (None, None)
        transport, _ = await self._loop.connect_accepted_socket(
            lambda: handler,
            connection,
            ssl=self._tls,
            ssl_handshake_timeout=seconds[0],
            ssl_shutdown_timeout=seconds[1],
        )
        await asyncio.wait({handler.ended}, timeout=REQUESTS_SECONDS)
        handler.expire()
        await asyncio.wait({handler.ended}, timeout=LONGEST_SECONDS - REQUESTS_SECONDS)
        transport.abort()
        await handler.ended


async def serve(app: web.Application, address: str, port: int, tls: ssl.SSLContext | None = None) -> Listener:
    """Start to serve; `cleanup` of what is returned ends it. Raises `OSError` if the port cannot be opened."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.create_server((address, port), family=family, backlog=_BACKLOG)
    listening.setblocking(False)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    return Listener(runner, listening, tls)
