"""Keeps a virtual cluster and a driver beside it ready for the next run, one run after the other, until its time is up.

Each run gets a cluster that no run has used: Ray Train's own actors outlive the run that has started them, and what is
in them must not reach another run. All processes end with this one, however it ends; if it is killed, Ray's agents do
once they have given up telling the head. It knows nothing of training.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any, Protocol

from trainingrun_trainer.local.kept.messages import receive, send
from trainingrun_trainer.local.kept.offer import read_size
from trainingrun_trainer.local.kept.warming import PRELOADED
from trainingrun_trainer.local.process import die_with_parent
from trainingrun_trainer.local.virtual_cluster import Nodes, nodes_of

_LOOK_SECONDS = 1.0


class Cluster(Protocol):
    """What is kept."""

    @property
    def address(self) -> str:
        """Where a driver connects to."""

    def is_whole(self) -> bool:
        """Whether all of its processes live."""


class Standby:
    """A driver that waits for its run. See `standby`."""

    def __init__(self, command: list[str]):
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [*command, str(its.fileno())],
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        self._connection = ours
        self.ended = os.pidfd_open(self._process.pid)

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def tell(self, message: dict[str, Any], files: tuple[int, ...] = ()) -> None:
        """Say something to it; one that has ended does not hear."""
        with contextlib.suppress(OSError):
            send(self._connection, message, files)

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.lives:
            self._process.send_signal(number)

    def end(self) -> int:
        """Wait until it has ended; returns the exit code, or minus the signal that killed it."""
        return self._process.wait()

    def close(self) -> None:
        """End it at once."""
        self.signal(signal.SIGKILL)
        self.end()
        self._connection.close()
        os.close(self.ended)


class Keeper:
    """See the module. `server` is where runs come, `seconds` is how long it keeps a cluster that nobody uses.

    `clusters` makes a cluster of `size`, and `command` is the program of a driver that waits.
    """

    def __init__(
        self,
        server: socket.socket,
        size: dict[str, Any],
        seconds: float,
        *,
        clusters: Callable[[dict[str, Any]], AbstractContextManager[Cluster]],
        command: list[str],
    ):
        self._server = server
        self._size = size
        self._until = time.monotonic() + seconds
        self._clusters = clusters
        self._command = command
        self._is_used = False
        self._is_ended = False

    def run(self) -> None:
        """Until the time is up, it is told to stop, or a process of an unused cluster is lost."""
        signal.signal(signal.SIGTERM, self._stop)
        while not self._is_ended and time.monotonic() < self._until:
            with contextlib.closing(Standby(self._command)) as standby, self._clusters(self._size) as cluster:
                left = self._until - time.monotonic()
                standby.tell({"address": cluster.address, "size": self._size, "seconds": max(left, 60)})
                connection = self._next_run(cluster)
                if connection is None:
                    return
                self._is_used = True
                with connection:
                    self._serve(connection, cluster, standby)
                standby.signal(signal.SIGKILL)
                self._is_used = False

    def _next_run(self, cluster: Cluster) -> socket.socket | None:
        while time.monotonic() < self._until and cluster.is_whole():
            if select.select([self._server], [], [], _LOOK_SECONDS)[0]:
                return self._server.accept()[0]
        return None

    def _serve(self, connection: socket.socket, cluster: Cluster, standby: Standby) -> None:
        """Do what a run says until it is gone; what is left of its driver is ended with the cluster."""
        with contextlib.suppress(OSError):
            send(connection, {"address": cluster.address, "hasDriver": standby.lives})
            waiting: list[Any] = [connection, standby.ended]
            while True:
                ready = select.select(waiting, [], [])[0]
                if standby.ended in ready:
                    waiting.remove(standby.ended)
                    send(connection, {"code": standby.end()})
                if connection in ready:
                    told = receive(connection)
                    if told is None:
                        return
                    self._do(*told, standby)

    def _do(self, message: dict[str, Any], files: list[int], standby: Standby) -> None:
        if "environment" in message:
            standby.tell(message, tuple(files))
        if "signal" in message:
            standby.signal(message["signal"])
        if "seconds" in message:
            self._until = time.monotonic() + message["seconds"]
        for file in files:
            os.close(file)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """A run that uses the cluster goes on to its end."""
        self._is_ended = True
        if not self._is_used:
            raise SystemExit(0)


def main() -> None:
    """Keep what standard input says. Whoever starts this has opened the socket and locked a file, and passes both."""
    descriptors = [int(argument) for argument in sys.argv[1:]]
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    told = json.load(sys.stdin)
    command = [sys.executable, "-m", "trainingrun_trainer.local.kept.standby"]
    with socket.socket(fileno=descriptors[0]) as server:
        Keeper(server, told["size"], told["seconds"], clusters=_clusters, command=command).run()


def _clusters(size: dict[str, Any]) -> AbstractContextManager[Nodes]:
    return nodes_of(read_size(size), PRELOADED)


if __name__ == "__main__":
    main()
