"""The `ray` of the trainer image, where it does not call Ray's own."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

RAY = Path(__file__).parents[2] / "images" / "trainer" / "bin" / "ray"


def test_a_worker_waits_until_its_head_listens() -> None:
    with socket.socket() as head:
        head.bind(("127.0.0.1", 0))
        waits = subprocess.Popen([RAY, "health-check", "--address", f"localhost:{head.getsockname()[1]}"])
        time.sleep(0.5)
        assert waits.poll() is None
        head.listen()
        assert waits.wait(10) == 0
