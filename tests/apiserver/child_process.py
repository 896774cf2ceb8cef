"""A program as a child process of the tests, which never outlives them.

It knows nothing of Kubernetes. Only processes that were started here are ever ended.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class ChildProcess:
    """A running program. Its output goes to `log`, which is appended to when it is started again."""

    def __init__(self, name: str, command: list[str], folder: Path, environment: Mapping[str, str] | None = None):
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._environment = {**_environment(), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it gets SIGKILL when the test process dies, however that does."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.log.parent,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the tests, which then end it in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float = 120) -> None:
        """Poll until it is ready; if it ends before or takes longer, fail with its last words."""
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.running, f"{self.name} ended with {self.exit_code}:\n{self.tail()}"
            assert time.monotonic() < deadline, f"{self.name} is not ready after {seconds} s:\n{self.tail()}"
            time.sleep(0.05)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._process.poll() if self._process else None

    @property
    def pid(self) -> int:
        assert self._process, f"{self.name} was not started"
        return self._process.pid

    @property
    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def peak_bytes(self) -> int:
        """The most memory that has been resident since its start."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024

    def send(self, number: signal.Signals) -> None:
        assert self._process, f"{self.name} was not started"
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash would."""
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 20) -> None:
        """Ask it to end, wait, and insist."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(seconds)

    def output(self) -> str:
        """All that it has written, in all of its lives."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, characters: int = 4000) -> str:
        """The end of its log."""
        return self.output()[-characters:]


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer_of(url: str) -> tuple[int, str]:
    """The status and text that a plain HTTP address of this machine answers with; 0 when there is no answer."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()
    except OSError:
        return 0, ""


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """Ours without what would lead a program to another cluster or through a proxy."""
    unwanted = {"KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
    return {name: value for name, value in os.environ.items() if name.upper() not in unwanted}
