"""Drivers that have loaded everything before they begin: each is forked from one process, which waits for that.

A driver loads Ray and torch for five seconds of a processor, which is nothing that most tests are about; those of
`trainingrun local` and of Ray's job manager start it as it is. Nothing of a run's author is loaded before the fork.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

_MOST_BYTES = 1 << 17


class LoadedDriver:
    """`python -m trainingrun_trainer` with these arguments, as subprocess.Popen is to others; it prints to `log`."""

    def __init__(self, arguments: list[str], folder: Path, environment: dict[str, str], log: Path):
        self._arguments = arguments
        told, tell = os.pipe()
        request = {"arguments": arguments, "folder": str(folder), "environment": environment, "log": str(log)}
        socket.send_fds(server(), [json.dumps(request).encode()], [tell])
        os.close(tell)
        # Unbuffered, so that what has been told and not been read can be seen.
        self._told = os.fdopen(told, "rb", buffering=0)
        self.pid = int(self._told.readline())
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self._code is None and select.select([self._told], [], [], 0)[0]:
            self._code = int(self._told.readline())
            self._told.close()
        return self._code

    def wait(self, seconds: float) -> int:
        """The exit code, once it has ended."""
        deadline = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self._arguments, seconds)
            time.sleep(0.02)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


@cache
def server() -> socket.socket:
    """A connection to the process that forks, which begins to load when this is called first and ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, __file__, str(theirs.fileno())]
    subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    theirs.close()
    return ours


def _load() -> None:
    from trainingrun_trainer.driver.entrypoint import prepare_environment
    from trainingrun_trainer.local.kept.warming import DRIVER

    prepare_environment()
    for module in DRIVER:
        importlib.import_module(module)
    # No fork looks through what stays, which would copy it.
    gc.collect()
    gc.freeze()


def _next_driver(connection: socket.socket) -> list[str] | None:
    """Fork for each request. Returns in each driver, with its arguments; here, None when nobody asks any more."""
    # Whoever waits for a driver is forked too, and nobody waits for that.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        text, descriptors, _, _ = socket.recv_fds(connection, _MOST_BYTES, 1)
        if not text:
            return None
        if os.fork() == 0:
            connection.close()
            return _become(json.loads(text), descriptors[0])
        os.close(descriptors[0])


def _become(request: dict, tell: int) -> list[str]:
    """Fork a driver, and tell its process id and its exit code; returns in the driver."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if pid := os.fork():
        os.write(tell, f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(tell, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    os.close(tell)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:1] = [request["folder"], *os.environ["PYTHONPATH"].split(os.pathsep)]
    importlib.invalidate_caches()
    arguments: list[str] = request["arguments"]
    return arguments


def _drive(connection: socket.socket) -> int:
    _load()
    arguments = _next_driver(connection)
    if arguments is None:
        return 0
    from trainingrun_trainer.driver.entrypoint import main

    return main(arguments)


if __name__ == "__main__":
    sys.exit(_drive(socket.socket(fileno=int(sys.argv[1]))))
