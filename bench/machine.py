"""What the figures were measured on, in terms that mean something elsewhere: no host names, no paths."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = ("trainingrun", "ray", "torch", "torchvision", "pyarrow", "numpy", "pandas")


def usable_cpus() -> list[int]:
    """The numbers of the CPUs that this process may run on, in order."""
    return sorted(os.sched_getaffinity(0))


def this_machine() -> dict[str, Any]:
    """CPU model and count, memory in GiB, and the versions of what computes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu_model(),
        "cpus": len(usable_cpus()),
        "memoryGiB": round(memory / (1 << 30), 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
