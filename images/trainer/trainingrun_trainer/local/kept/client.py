"""A run's side of a kept cluster: finds one that fits and has it for itself, keeps one for later, and ends one.

It must be quick, and load neither Ray nor what the keeper loads.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from trainingrun_trainer.local.kept.folder import Folder, known_folder, private_folder
from trainingrun_trainer.local.kept.messages import receive, send
from trainingrun_trainer.local.kept.offer import Offer, State, difference, read_state

# A cluster that is not ready yet has a head start on any that would be started now.
_READY_SECONDS = 90.0
_END_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_KEEPER = (sys.executable, "-m", "trainingrun_trainer.local.kept.keeper")
# Why a kept cluster may fit and yet not be used.
IN_USE = "another run uses it"


class Found:
    """A kept cluster that is this run's until `close`. `has_driver` says that a driver waits in it, for one attempt."""

    def __init__(self, address: str, connection: socket.socket, lock: IO[str], *, has_driver: bool):
        self.address = address
        self.has_driver = has_driver
        self._connection = connection
        self._lock = lock

    def drive(self, environment: dict[str, str], log: Path | None) -> KeptDriver:
        """Have the driver that waits drive an attempt, with what is set here and in `environment`."""
        self.has_driver = False
        return KeptDriver(self._connection, {**os.environ, **environment}, log)

    def keep(self, seconds: float) -> None:
        """Have it kept for so long, from now."""
        with contextlib.suppress(OSError):
            send(self._connection, {"seconds": seconds})

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()
        self._lock.close()


class KeptDriver:
    """A driver that the keeper has started; else as `process.Driver`."""

    def __init__(self, connection: socket.socket, environment: dict[str, str], log: Path | None):
        self._connection = connection
        self._has_ended = False
        reading, writing = os.pipe()
        errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if log else os.dup(2)
        with contextlib.suppress(OSError):  # the keeper has ended: the pipe and `end` tell
            send(connection, {"environment": environment}, (writing, errors))
        for descriptor in (writing, errors):
            os.close(descriptor)
        self._output = os.fdopen(reading, "rb")

    def connect(self, address: str) -> None:
        """It is connected."""

    def lines(self) -> Iterator[str]:
        """What it prints, until it ends."""
        with self._output:
            for line in self._output:
                yield line.decode(errors="replace").rstrip("\n")

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if not self._has_ended:
            with contextlib.suppress(OSError):
                send(self._connection, {"signal": number})

    def end(self) -> int:
        """Wait for its end; returns the exit code, or minus the signal that killed it, as it was where nobody knows."""
        told = None
        with contextlib.suppress(OSError):
            told = receive(self._connection)
        self._has_ended = True
        return int(told[0]["code"]) if told is not None else -signal.SIGKILL


def find(wanted: Offer) -> tuple[Found | None, str | None]:
    """The kept cluster, if there is one that fits and nobody uses; else why it is not used, if there is one."""
    folder = known_folder()
    state = _living(folder) if folder is not None else None
    if folder is None or state is None:
        return None, None
    if (why := difference(state.offer, wanted)) is not None:
        return None, why
    lock = _locked(folder.using)
    if lock is None:
        return None, IN_USE
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(_READY_SECONDS)
    try:
        connection.connect(str(folder.socket))
        told = receive(connection)
    except OSError:
        told = None
    if told is None:
        connection.close()
        lock.close()
        return None, "it has ended"
    connection.settimeout(None)
    return Found(told[0]["address"], connection, lock, has_driver=told[0]["hasDriver"]), None


def keep(offer: Offer, seconds: float) -> bool:
    """Have another process keep what is offered for so long, beyond this one's end; False where one is kept already."""
    folder = private_folder()
    lock = _locked(folder.keeping)
    if lock is None:
        return False
    for left in (folder.state, folder.socket):  # by a keeper that was killed
        left.unlink(missing_ok=True)
    with lock, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server, folder.log.open("wb") as log:
        server.bind(str(folder.socket))
        server.listen()
        passed = (server.fileno(), lock.fileno())
        process = subprocess.Popen(
            [*_KEEPER, *map(str, passed)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=passed,
            start_new_session=True,
        )
        assert process.stdin is not None  # noqa: S101
        with process.stdin:
            process.stdin.write(json.dumps({"size": offer.to_document()["size"], "seconds": seconds}).encode())
        written = folder.state.with_suffix(".new")
        written.write_text(State(process.pid, offer).to_json())
        written.replace(folder.state)
    return True


def stop() -> str | None:
    """End the kept cluster; returns the sentence of what was done, or None where there is none."""
    folder = known_folder()
    state = _living(folder) if folder is not None else None
    if folder is None or state is None:
        return None
    using = _locked(folder.using)
    os.kill(state.keeper, signal.SIGTERM)
    if using is None:
        return "a run uses the kept cluster, which ends with that run"
    with using:
        deadline = time.monotonic() + _END_SECONDS
        while _living(folder) is not None:
            if time.monotonic() > deadline:
                os.kill(state.keeper, signal.SIGKILL)
            time.sleep(_LOOK_SECONDS)
    return "the kept cluster has ended"


def keeper() -> int | None:
    """The process that keeps a cluster, if one does."""
    folder = known_folder()
    state = _living(folder) if folder is not None else None
    return state.keeper if state is not None else None


def _living(folder: Folder) -> State | None:
    """What the keeper has written, if it lives: the kernel unlocks its file when it ends, however it does."""
    lock = _locked(folder.keeping, fcntl.LOCK_SH)
    if lock is not None:
        lock.close()
        return None
    try:
        return read_state(folder.state.read_text())
    except OSError:
        return None


def _locked(path: Path, kind: int = fcntl.LOCK_EX) -> IO[str] | None:
    """The file, locked until it is closed; None while another process has it."""
    file = path.open("a", encoding="utf-8")
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
