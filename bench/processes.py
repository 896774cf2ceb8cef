"""Looks at processes that the bench has started: their children and command lines. Linux only."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_IDLE_SECONDS = 2.0


def environment() -> dict[str, str]:
    """The variables of a Python process that finds this package, and whatever this one was told to find."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def descendants(pid: int) -> list[int]:
    """Every living process below `pid`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                # The name, in parentheses, may hold anything; the parent is the second field after it.
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def wait_until_idle(pid: int) -> None:
    """Wait until a process and all below it have used less than a tenth of a core for two seconds."""
    used = _ticks(pid)
    while True:
        time.sleep(_IDLE_SECONDS)
        before, used = used, _ticks(pid)
        if used - before < 0.1 * _IDLE_SECONDS * os.sysconf("SC_CLK_TCK"):
            return


def _ticks(pid: int) -> int:
    total = 0
    for each in [pid, *descendants(pid)]:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total


def command_line(pid: int) -> str:
    """The command line of a process, empty if it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""
