"""A kubelet's side of an exec request: a WebSocket that speaks v4.channel.k8s.io, and the command as a process here.

The commands are those of pods that serve files: the folder that stands for the claim takes the place of its mount.
Where a test wants it, connections are cut off after so many bytes of output.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from trainingrun.transfer.pod import MOUNT, SERVED

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_STDIN, _STDOUT, _STDERR, _RESULT = range(4)


@dataclass
class PodExec:
    """`folder` is the claim. The first of `cuts` says after how many bytes of output the next connection is cut off."""

    folder: Path
    cuts: list[int] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)

    def serve(self, handler: BaseHTTPRequestHandler, command: list[str], environment: dict[str, str]) -> None:
        """Answer an exec request until its command has ended or its client is gone."""
        self.commands.append(command)
        socket = _Socket(handler)
        paths = {MOUNT: str(self.folder), SERVED: str(self.folder.parent / "served")}
        words = [sys.executable, *(paths.get(word, word) for word in command[1:])]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, **environment}, bufsize=0
        ) as process:
            heard = threading.Thread(target=self._hear, args=(socket, process))
            heard.start()
            try:
                self._answer(socket, process, self.cuts.pop(0) if self.cuts else None)
            finally:
                process.kill()
                socket.close()
                heard.join(10)

    def _hear(self, socket: _Socket, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError, EOFError), process.stdin:
            while (message := socket.receive()) is not None:
                if message[:1] == bytes([_STDIN]):
                    process.stdin.write(message[1:])

    def _answer(self, socket: _Socket, process: subprocess.Popen[bytes], left: int | None) -> None:
        assert process.stdout is not None and process.stderr is not None
        while data := process.stdout.read(64 << 10):
            if left is not None and (left := left - len(data)) < 0:
                socket.send(bytes([_STDOUT]) + data[:left])
                return
            socket.send(bytes([_STDOUT]) + data)
        socket.send(bytes([_STDERR]) + process.stderr.read())
        code = process.wait()
        result: dict[str, Any] = {"status": "Success"}
        if code:
            result = {"status": "Failure", "reason": "NonZeroExitCode", "message": f"exit code {code}"}
        socket.send(bytes([_RESULT]) + json.dumps(result).encode())


class _Socket:
    """The least of RFC 6455 that a server needs."""

    def __init__(self, handler: BaseHTTPRequestHandler):
        self._reader, self._writer = handler.rfile, handler.wfile
        self._connection = handler.connection
        self._lock = threading.Lock()
        accept = base64.b64encode(hashlib.sha1(handler.headers["Sec-WebSocket-Key"].encode() + _GUID).digest())  # noqa: S324
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept.decode()}",
            "Sec-WebSocket-Protocol: v4.channel.k8s.io",
        ]
        assert "v4.channel.k8s.io" in handler.headers["Sec-WebSocket-Protocol"]
        self._writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        self._writer.flush()

    def send(self, data: bytes, kind: int = _BINARY) -> None:
        size = len(data)
        head = bytes([0x80 | kind])
        if size < 126:
            head += bytes([size])
        elif size < 1 << 16:
            head += bytes([126]) + struct.pack(">H", size)
        else:
            head += bytes([127]) + struct.pack(">Q", size)
        with self._lock, contextlib.suppress(OSError):
            self._writer.write(head + data)
            self._writer.flush()

    def receive(self) -> bytes | None:
        """The next message; None when the client closes."""
        message = b""
        while True:
            first, second = self._exactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", self._exactly(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self._exactly(8))
            mask = self._exactly(4) if second & 0x80 else b""
            data = self._exactly(size)
            if mask:
                key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
                data = (int.from_bytes(data, "big") ^ key).to_bytes(size, "big")
            kind = first & 0x0F
            if kind == _CLOSE:
                return None
            if kind == _PING:
                self.send(data, _PONG)
            elif kind != _PONG:
                message += data
                if first & 0x80:
                    return message

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(2)

    def _exactly(self, size: int) -> bytes:
        data: bytes = self._reader.read(size)
        if len(data) < size:
            raise EOFError
        return data
