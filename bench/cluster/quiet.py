"""Waits until this machine, whose containers are the cluster's nodes, has done what the last round left it to do."""

from __future__ import annotations

import time
from pathlib import Path

_QUIET_SHARE, _WINDOW_SECONDS, _LONGEST_SECONDS = 0.25, 5.0, 120.0


def wait_until_quiet() -> None:
    """Return when a quarter of the CPUs or less was busy for a while; after two minutes in any case."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while _busy_share(_WINDOW_SECONDS) > _QUIET_SHARE and time.monotonic() < deadline:
        pass


def _busy_share(seconds: float) -> float:
    """Share of all CPUs' time that was not idle during the next seconds."""
    idle, total = _times()
    time.sleep(seconds)
    idle_then, total_then = _times()
    return 1 - (idle_then - idle) / max(total_then - total, 1)


def _times() -> tuple[int, int]:
    """Idle time, waiting for disks included, and all time of all CPUs, in ticks."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)
