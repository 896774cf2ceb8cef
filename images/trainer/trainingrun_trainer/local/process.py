"""One driver process: started so that it cannot outlive this one, read line by line, stopped politely or at once."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

_PR_SET_PDEATHSIG = 1


class AnyDriver(Protocol):
    """A running driver, whoever has started it; see Driver."""

    def connect(self, address: str) -> None:
        """See Driver."""

    def lines(self) -> Iterator[str]:
        """See Driver."""

    def signal(self, number: int) -> None:
        """See Driver."""

    def end(self) -> int:
        """See Driver."""


class StartDriver(Protocol):
    """Starts a driver; see Driver."""

    def __call__(
        self,
        command: list[str],
        environment: dict[str, str],
        log: Path | None,
        *,
        waits: bool,
        directory: Path | None = None,
    ) -> AnyDriver:
        """See Driver."""


class Driver:
    """A running driver. Its standard output is read with `lines`; its standard error goes to `log`, or here.

    One that `waits` is told with `connect` where its cluster is. It starts in `directory`, or here without one.
    """

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        log: Path | None,
        *,
        waits: bool = False,
        directory: Path | None = None,
    ):
        self._log = log.open("ab") if log else None
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            cwd=directory,
            stdin=subprocess.PIPE if waits else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # Of its own session: a Ctrl-C in the terminal is ours to pass on, once.
            start_new_session=True,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )

    def connect(self, address: str) -> None:
        """Tell a driver that waits for it the cluster's address."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended already: how is in its lines
                self._process.stdin.write(f"{address}\n".encode())
                self._process.stdin.close()

    def lines(self) -> Iterator[str]:
        """What it prints, until it ends."""
        if self._process.stdout is not None:
            for line in self._process.stdout:
                yield line.decode(errors="replace").rstrip("\n")

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def end(self) -> int:
        """Wait for its end; returns the exit code, or minus the signal that killed it."""
        code = self._process.wait()
        if self._log is not None:
            self._log.close()
        return code


def die_with_parent() -> None:
    """Have the kernel end this process when its parent is gone, even if that was killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
