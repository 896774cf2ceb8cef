"""A folder of a persistentVolumeClaim as a place: speaks with the program that serves it in a pod.

Requests and answers are those of `serving`. Each call is a connection of its own, so that one that was cut off leaves
nothing to clean up; files are asked for, and written, many at a time, without waiting for each.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

from trainingrun.kube import Channel
from trainingrun.transfer.places import CHUNK_BYTES, CutOff, Show, TransferError, Upload, Whole, checked_name
from trainingrun.transfer.pod_host import PodHost

# The program tells that it lives every few seconds, whatever it does.
SILENCE_SECONDS = 60.0


class _Messages:
    """What comes, in messages: a line of JSON each, and the bytes that it names."""

    def __init__(self, channel: Channel):
        self._channel = channel
        self._rest = bytearray()

    async def request(self, do: str, data: bytes = b"", **values: Any) -> None:
        if data:
            values["bytes"] = len(data)
        await self._channel.send(json.dumps({"do": do, **values}).encode() + b"\n" + data)

    async def next(self) -> dict[str, Any]:
        """The next message that says something; its bytes are under `data`. Raises `TransferError` for an error."""
        while True:
            line = await self._line()
            try:
                message: dict[str, Any] = json.loads(line)
            except ValueError as error:
                raise TransferError(
                    f"the program in the pod answers {line[:100]!r}: its image does more than run it"
                ) from error
            if "error" in message:
                raise TransferError(f"{message['file'] or 'the volume'}: {message['error']}")
            if "bytes" in message:
                message["data"] = await self._bytes(message["bytes"])
            if message:
                return message

    async def until_done(self) -> AsyncIterator[dict[str, Any]]:
        while not (message := await self.next()).get("done"):
            yield message

    async def _line(self) -> bytes:
        while (at := self._rest.find(b"\n")) < 0:
            await self._more()
        line = bytes(self._rest[:at])
        del self._rest[: at + 1]
        return line

    async def _bytes(self, many: int) -> bytes:
        while len(self._rest) < many:
            await self._more()
        data = bytes(self._rest[:many])
        del self._rest[:many]
        return data

    async def _more(self) -> None:
        data = await self._channel.receive(SILENCE_SECONDS)
        if not data:
            raise CutOff("the program in the pod has ended")
        self._rest += data


class ClaimPlace:
    """See the module and `Place`. `folder` is relative to the volume's root."""

    def __init__(self, host: PodHost, folder: str):
        self._host = host
        self._folder = folder

    async def sizes(self) -> dict[str, int] | None:
        """See Place."""
        found: dict[str, int] = {}
        async with self._host.session() as channel:
            messages = _Messages(channel)
            await messages.request("list", folder=self._folder)
            async for message in messages.until_done():
                if "missing" in message:
                    return None
                found[checked_name(message["file"])] = message["size"]
        return found

    async def read(self, files: Sequence[tuple[str, int]]) -> AsyncGenerator[bytes | Whole]:
        """See Place."""
        async with self._host.session() as channel:
            messages = _Messages(channel)
            await messages.request("read", folder=self._folder, files=list(files))
            async for message in messages.until_done():
                if "data" in message:
                    yield message["data"]
                else:
                    yield Whole(message["file"], message["sha256"])

    async def digests(self, names: Sequence[str]) -> dict[str, str]:
        """See Place."""
        async with self._host.session() as channel:
            messages = _Messages(channel)
            await messages.request("digest", folder=self._folder, files=list(names))
            return {message["file"]: message["sha256"] async for message in messages.until_done()}

    async def offer(self, files: Sequence[tuple[str, int]]) -> dict[str, tuple[bool, int]]:
        """See Place."""
        async with self._host.session() as channel:
            messages = _Messages(channel)
            await messages.request("offer", folder=self._folder, files=list(files))
            answers = [message async for message in messages.until_done()]
        return {each["file"]: ("there" in each, each.get("there", each.get("offset", 0))) for each in answers}

    async def write(self, files: Sequence[Upload], show: Show, placed: Callable[[str], None]) -> None:
        """See Place."""
        async with self._host.session() as channel:
            messages = _Messages(channel)
            left = {file.name for file in files}
            await _both(self._send(messages, files), self._hear(messages, left, show, placed))

    async def _hear(self, messages: _Messages, left: set[str], show: Show, placed: Callable[[str], None]) -> None:
        """What becomes of the files that are sent, until all are whole."""
        while left:
            message = await messages.next()
            if "written" in message:
                show(message["file"], message["written"])
            elif message["placed"]:
                left.discard(message["file"])
                placed(message["file"])
            else:
                raise CutOff(f"{message['file']} did not arrive as it was sent")

    async def _send(self, messages: _Messages, files: Sequence[Upload]) -> None:
        """Every file's bytes from its offset on, and its digest. What has come already is read for the digest only."""
        for file in files:
            digest, at = hashlib.sha256(), 0
            with file.path.open("rb") as stream:
                while chunk := await asyncio.to_thread(stream.read, CHUNK_BYTES):
                    digest.update(chunk)
                    start, at = at, at + len(chunk)
                    data = chunk[max(0, file.offset - start) :]
                    if data:
                        offset = max(start, file.offset)
                        await messages.request("write", data, folder=self._folder, file=file.name, offset=offset)
            await messages.request("place", folder=self._folder, file=file.name, sha256=digest.hexdigest())


async def _both(*parts: Coroutine[Any, Any, None]) -> None:
    """Do both at the same time; one that fails ends the other, which would wait for it."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
