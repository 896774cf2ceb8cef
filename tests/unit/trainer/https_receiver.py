"""An HTTPS server with a certificate of its own authority, which notes what is sent to it and when."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme


@dataclass
class Received:
    """One request: when it came in (monotonic seconds), its headers, and its body."""

    time: float
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Receiver:
    """`status` is what it answers; None for an answer that is no HTTP."""

    url: str
    ca_file: Path
    requests: list[Received] = field(default_factory=list)
    status: int | None = 200

    def wait_for(self, count: int, seconds: float = 10.0) -> None:
        """Wait until so many requests have come in."""
        until = time.monotonic() + seconds
        while len(self.requests) < count:
            assert time.monotonic() < until, f"{len(self.requests)} requests came, expected {count}"
            time.sleep(0.005)


@contextmanager
def https_receiver(folder: Path) -> Iterator[Receiver]:
    folder.mkdir(parents=True, exist_ok=True)
    authority, ca_file = trustme.CA(), folder / "ca.crt"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver = Receiver(f"https://127.0.0.1:{server.server_port}/status", ca_file)
    server.receiver = receiver  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = receiver.status
        receiver.requests.append(Received(time.monotonic(), dict(self.headers), body))
        if status is None:
            self.wfile.write(b"this is no HTTP\r\n\r\n")
        else:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Tests read the list instead."""
