"""A caller of whom nothing is known costs a fixed share: connections, handshakes, headers and times are bounded."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import pytest
import trustme
from aiohttp import web

from trainingrun.engine import listener
from trainingrun.engine.listener import Listener, serve

SECONDS = 0.15
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
Connect = Callable[..., Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", SECONDS)
    monkeypatch.setattr(listener, "REQUESTS_SECONDS", SECONDS)
    monkeypatch.setattr(listener, "LONGEST_SECONDS", 10 * SECONDS)
    monkeypatch.setattr(listener, "MOST_OF_ONE_ADDRESS", 4)
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 6)


def play(script: Callable[[Connect, Listener], Awaitable[None]], tls: ssl.SSLContext | None = None) -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query.get("seconds", "0")))
        return web.Response(text="here")

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        listening = await serve(app, "127.0.0.1", 0, tls)

        async def connect(address: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection("127.0.0.1", listening.port, local_addr=(address, 0))

        try:
            await script(connect, listening)
        finally:
            await listening.cleanup()

    asyncio.run(asyncio.wait_for(main(), 20))


async def answered(connect: Connect, address: str = "127.0.0.1") -> bool:
    reader, writer = await connect(address)
    try:
        writer.write(REQUEST)
        return b"200 OK" in await reader.read(1000)
    except ConnectionError:
        return False
    finally:
        writer.close()


async def told_until_closed(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def seconds_until_closed(reader: asyncio.StreamReader) -> float:
    clock = asyncio.get_running_loop().time
    began = clock()
    await told_until_closed(reader)
    return clock() - began


def test_one_address_gets_its_share_and_no_other_address_suffers() -> None:
    async def script(connect: Connect, listening: Listener) -> None:
        held = [await connect() for _ in range(4)]
        await asyncio.sleep(0.01)
        assert not await answered(connect)
        assert await answered(connect, "127.0.0.2")
        held[0][1].close()
        await asyncio.sleep(0.05)
        assert await answered(connect)

    play(script)


def test_all_addresses_together_get_no_more_than_there_is() -> None:
    async def script(connect: Connect, listening: Listener) -> None:
        held = [await connect(f"127.0.0.{number}") for number in range(1, 7)]
        await asyncio.sleep(0.01)
        assert not await answered(connect, "127.0.0.8")
        await asyncio.gather(*(seconds_until_closed(reader) for reader, _ in held))
        assert await answered(connect, "127.0.0.8")

    play(script)


@pytest.mark.parametrize("sent", [b"", REQUEST[:20], REQUEST + REQUEST[:20]], ids=["nothing", "half", "one and a half"])
def test_a_request_that_does_not_arrive_is_not_waited_for(sent: bytes) -> None:
    async def script(connect: Connect, listening: Listener) -> None:
        reader, writer = await connect()
        writer.write(sent)
        assert await seconds_until_closed(reader) < 5 * SECONDS

    play(script)


def test_a_request_that_is_being_answered_is_answered_to_its_end() -> None:
    async def script(connect: Connect, listening: Listener) -> None:
        reader, writer = await connect()
        writer.write(REQUEST.replace(b"/ ", f"/?seconds={3 * SECONDS} ".encode()))
        assert b"200 OK" in await reader.read()

    play(script)


def test_an_answer_that_never_comes_does_not_keep_the_connection() -> None:
    async def script(connect: Connect, listening: Listener) -> None:
        reader, writer = await connect()
        writer.write(REQUEST.replace(b"/ ", f"/?seconds={12 * SECONDS} ".encode()))
        assert await told_until_closed(reader) == b""

    play(script)


def test_a_handshake_that_is_not_finished_is_given_up() -> None:
    async def script(connect: Connect, listening: Listener) -> None:
        reader, writer = await connect()
        writer.write(b"\x16\x03\x01\x02\x00\x01")
        assert await seconds_until_closed(reader) < 5 * SECONDS
        await asyncio.sleep(0.05)
        assert not listening._connections and not listening._of_address

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    play(script, context)


def test_at_its_end_a_request_is_answered_and_nothing_is_kept() -> None:
    async def script(connect: Connect, listening: Listener) -> None:
        reader, writer = await connect()
        writer.write(REQUEST.replace(b"/ ", b"/?seconds=0.1 "))
        await asyncio.sleep(0.05)
        ending = asyncio.create_task(listening.cleanup())
        assert b"200 OK" in await reader.read()
        await ending
        with pytest.raises(OSError):
            await connect()

    play(script)
