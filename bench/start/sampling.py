"""Watches a command's processes from outside, in /proc, several times a second: they need not know of it. Linux only.

A process that lives for less than two samples is missed, and so is what it costs.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.processes import command_line, descendants

_PERIOD_SECONDS = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Process:
    """A process. Times are seconds since the command; `samples` are (time, CPU seconds used since the command)."""

    name: str
    began: float
    used_before: float = 0.0
    samples: list[tuple[float, float]] = field(default_factory=list)

    @property
    def ended(self) -> float:
        """When it was seen last."""
        return self.samples[-1][0]

    def cpu(self, until: float = float("inf")) -> float:
        """CPU seconds that it had used by then."""
        return max((cpu for at, cpu in self.samples if at <= until), default=0.0)


class Sampler:
    """Samples a process, and all below it and below `others`, from a thread, until `stop`.

    Of those that were there before the command, only what they use after it counts.
    """

    def __init__(self, process: subprocess.Popen[Any], commanded: float, others: Iterable[int] = ()):
        self.processes: dict[int, Process] = {}
        self._roots = {process.pid, *others}
        self._commanded = commanded
        self._booted = time.time() - float(Path("/proc/uptime").read_text().split()[0])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> list[Process]:
        """All processes that were seen more than once, in the order in which they began."""
        self._ended.set()
        self._thread.join()
        seen = (process for process in self.processes.values() if len(process.samples) > 1)
        return sorted(seen, key=lambda process: process.began)

    def _watch(self) -> None:
        while not self._ended.wait(_PERIOD_SECONDS):
            # Those whose parent has gone are still ours.
            for pid in self._roots | self.processes.keys() | {pid for root in self._roots for pid in descendants(root)}:
                with contextlib.suppress(OSError):  # it has just ended
                    self._sample(pid)

    def _sample(self, pid: int) -> None:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] == "Z":
            return
        cpu, began = (int(fields[11]) + int(fields[12])) / _TICKS, self._booted + int(fields[19]) / _TICKS
        since = began - self._commanded
        process = self.processes.setdefault(pid, Process("", max(since, 0.0), cpu if since < 0 else 0.0))
        name = name_of(command_line(pid))
        # A worker of Ray is called by what it becomes, not by what it was while it waited for that.
        if name and (name != "ray::IDLE" or not process.name):
            process.name = name
        process.samples.append((time.time() - self._commanded, cpu - process.used_before))


def name_of(command: str) -> str:
    """A short name for a command line: a module, a file of Python's, a program, or what Ray calls its worker."""
    words = command.split()
    if not words:
        return ""
    program = words[0].rpartition("/")[2]
    if not program.startswith("python"):
        return program.partition(".__init__")[0]
    arguments = [word for word in words[1:] if word != "-u"]
    if arguments[:1] == ["-m"]:
        return " ".join(arguments[1:2])
    return "/".join(arguments[0].split("/")[-2:]) if arguments else program


def wait_for(process: subprocess.Popen[Any], done: Callable[[], Any], seconds: float) -> None:
    """Wait until `done()`. Raises RuntimeError where the command ends before, or takes longer."""
    limit = time.monotonic() + seconds
    while not done():
        if process.poll() is not None or time.monotonic() > limit:
            raise RuntimeError(f"the command did not get there (exit code {process.poll()})")
        time.sleep(0.02)
