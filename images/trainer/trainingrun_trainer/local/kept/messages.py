"""What a run and the keeper say to each other: a JSON value each, in order, with open files beside it."""

from __future__ import annotations

import json
import socket
from typing import Any

# More than an environment may have, as the kernel limits it for one variable.
_MOST_BYTES = 1 << 20
_MOST_FILES = 4


def send(connection: socket.socket, message: dict[str, Any], files: tuple[int, ...] = ()) -> None:
    """Send one, with the descriptors of files that the other is to have too. Raises OSError if nobody hears."""
    socket.send_fds(connection, [json.dumps(message).encode()], files)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next one; None at the end. The files are the receiver's to close. Raises OSError."""
    text, files, _, _ = socket.recv_fds(connection, _MOST_BYTES, _MOST_FILES)
    return (json.loads(text), files) if text else None
