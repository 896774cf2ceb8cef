"""A keeper whose cluster is one process that sleeps, and whose drivers load nothing: without Ray."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainingrun_trainer.local.kept.keeper import Keeper
from trainingrun_trainer.local.process import die_with_parent

_DRIVER = Path(__file__).with_name("plain_driver.py")


class Sleeper:
    """The cluster; its address is its process id."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["sleep", "1000"], preexec_fn=die_with_parent)
        self.address = str(self.process.pid)

    def is_whole(self) -> bool:
        return self.process.poll() is None


@contextmanager
def sleeper(size: dict[str, Any]) -> Iterator[Sleeper]:
    assert size["trainers"] == 1
    cluster = Sleeper()
    yield cluster
    cluster.process.kill()
    cluster.process.wait()


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        os.set_inheritable(int(argument), False)
    told = json.load(sys.stdin)
    with socket.socket(fileno=int(sys.argv[1])) as server:
        Keeper(server, told["size"], told["seconds"], clusters=sleeper, command=[sys.executable, str(_DRIVER)]).run()
