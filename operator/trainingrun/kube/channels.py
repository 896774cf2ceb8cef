"""A command in a pod, as its input and its output: the exec request over a WebSocket.

The API server passes it on to the pod's kubelet, so that the pod needs no port and no policy has to let anybody in.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.configuration import Configuration

from trainingrun.kube.errors import Rejected, Transient, error_of
from trainingrun.kube.resources import PODS

# The protocol of which every kubelet and every API server has spoken: a byte says whose the rest of a message is.
_PROTOCOL = "v4.channel.k8s.io"
_STDIN, _STDOUT, _STDERR, _RESULT = range(4)
_MOST_WORDS = 2000


class Channel:
    """The open connection. What cannot go on raises `Transient`; a command that fails raises `Rejected`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse):
        self._socket = socket
        self._said = b""

    async def send(self, data: bytes) -> None:
        """Send this to the command's input."""
        try:
            await self._socket.send_bytes(bytes([_STDIN]) + data)
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(f"the connection to the pod was cut off: {error}") from error

    async def receive(self, silence: float) -> bytes:
        """What comes next of the command's output; empty once it has ended well."""
        while True:
            try:
                message = await self._socket.receive(silence)
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                raise Transient(f"nothing has come from the pod for {silence:g} s") from error
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                raise Transient("the connection to the pod was cut off")
            data = message.data if isinstance(message.data, bytes) else message.data.encode()
            kind, rest = data[0] if data else _STDERR, data[1:]
            if kind == _STDOUT and rest:
                return bytes(rest)
            if kind == _STDERR:
                self._said = (self._said + rest)[-_MOST_WORDS:]
            if kind == _RESULT:
                self._judge(rest)
                return b""

    def _judge(self, result: bytes) -> None:
        try:
            status = json.loads(result)
        except ValueError:
            status = {}
        if status.get("status") != "Success":
            words = self._said.decode(errors="replace").strip() or str(status.get("message") or "without a word")
            raise Rejected(f"the command in the pod failed: {words}", reason=str(status.get("reason") or ""))


@asynccontextmanager
async def command_in_pod(
    session: aiohttp.ClientSession,
    configuration: Configuration,
    namespace: str,
    pod: str,
    container: str,
    command: Sequence[str],
) -> AsyncIterator[Channel]:
    """Start the command in a running container. Needs the verbs get and, in newer clusters, create on pods/exec."""
    query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in command]
    url = f"{configuration.host}{PODS.path(namespace, pod, 'exec')}?{urlencode(query)}"
    token = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    headers = {"User-Agent": "trainingrun", **({"Authorization": token} if token else {})}
    try:
        socket = await session.ws_connect(
            url,
            protocols=(_PROTOCOL,),
            headers=headers,
            proxy=configuration.proxy,
            proxy_headers=configuration.proxy_headers,
            server_hostname=configuration.tls_server_name or None,
            max_msg_size=0,
        )
    except aiohttp.WSServerHandshakeError as error:
        words = f"a command may not be run in pod {pod}: {error.message}"
        raise error_of(error.status, {}, words.encode()) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Transient(f"the connection to the pod could not be opened: {error}") from error
    try:
        yield Channel(socket)
    finally:
        await socket.close()
