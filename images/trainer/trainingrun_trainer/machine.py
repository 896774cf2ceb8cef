"""What the machine or pod of this process has: CPUs, GPUs and memory, within the limits that hold for this process.

It must not decide what to do with them.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_GIB = 1 << 30
CUDA_VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Machine:
    """What there is for this process. `gpus` are their ids, as CUDA_VISIBLE_DEVICES takes them."""

    cpus: int
    gpus: tuple[str, ...]
    memory_bytes: int
    shared_memory_bytes: int


def this_machine() -> Machine:
    """What this process may use."""
    shared = shutil.disk_usage("/dev/shm").free if Path("/dev/shm").is_dir() else 2 * _GIB  # noqa: S108
    return Machine(
        cpus=_usable_cpus(),
        gpus=visible_gpus(os.environ.get(CUDA_VISIBLE_DEVICES), _gpu_count()),
        memory_bytes=_memory_limit(),
        shared_memory_bytes=shared,
    )


def visible_gpus(setting: str | None, count: int) -> tuple[str, ...]:
    """The ids of the GPUs that a machine of `count` GPUs shows with this value of CUDA_VISIBLE_DEVICES, if any.

    As CUDA reads it: numbers or names of GPUs and of their slices, until the first that does not exist.
    """
    if setting is None:
        return tuple(str(index) for index in range(count))
    if not count:
        return ()
    ids = (entry.strip() for entry in setting.split(","))
    return tuple(itertools.takewhile(lambda entry: _exists(entry, count), ids))


def _exists(gpu: str, count: int) -> bool:
    return int(gpu) < count if gpu.isdecimal() else gpu.startswith(("GPU-", "MIG-"))


def _usable_cpus() -> int:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists():
        limit, period = quota.read_text().split()
        if limit != "max":
            count = min(count, max(1, int(limit) // int(period)))
    return count


def _memory_limit() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()) != "max":
        total = min(total, int(text))
    return total


def _gpu_count() -> int:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    listed = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
