"""How large the virtual nodes are: the run's shape, cut down to what this machine has.

`size` is a pure function; `this_machine` looks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from trainingrun.history.figures import plural
from trainingrun.spec import Run

_GIB = 1 << 30


@dataclass(frozen=True)
class Machine:
    """What there is: CPUs and GPUs for this process, bytes of memory, bytes free in shared memory."""

    cpus: int
    gpus: int
    memory_bytes: int
    shared_memory_bytes: int


@dataclass(frozen=True)
class Size:
    """The virtual cluster. CPUs are totals of a group; object store sizes are bytes of each node."""

    trainers: int
    trainer_nodes: int
    cpus_per_trainer: int
    gpus_per_trainer: int
    data_nodes: int
    data_cpus: int
    object_store_bytes: int

    def sentence(self, run: Run) -> str:
        """What was made of the run's shape, in one line."""
        gpus = f" and {self.gpus_per_trainer} GPU" if self.gpus_per_trainer else ""
        return (
            f"this machine: {plural(self.trainers, 'trainer')} with {self.cpus_per_trainer} CPU{gpus} each "
            f"(the run asks for {run.spec.trainer.num_processes}), {plural(self.data_cpus, 'CPU')} for data on "
            f"{plural(self.data_nodes, 'virtual node')} (the run asks for {plural(run.spec.data.num_nodes, 'node')})"
        )


def this_machine() -> Machine:
    """What this process may use."""
    shared = shutil.disk_usage("/dev/shm").free if Path("/dev/shm").is_dir() else 2 * _GIB  # noqa: S108
    return Machine(
        cpus=_usable_cpus(),
        gpus=_gpu_count(),
        memory_bytes=_memory_limit(),
        shared_memory_bytes=shared,
    )


def size(run: Run, machine: Machine, *, trainers: int | None = None, data_cpus: int | None = None) -> Size:
    """The virtual cluster for `run` on `machine`; the keywords are the user's own choice."""
    wanted = run.spec.trainer.num_processes
    wanted_gpus = run.spec.trainer.resources_per_node.gpus // run.spec.trainer.processes_per_node
    has_gpus = machine.gpus > 0 and wanted_gpus > 0
    # A trainer needs a CPU whatever else it has, and so do the data.
    room = min(machine.gpus, max(1, machine.cpus - 1)) if has_gpus else max(1, machine.cpus // 2)
    count = trainers or min(wanted, room)
    half = machine.cpus - (data_cpus or machine.cpus // 2)
    per_trainer = max(1, min(half // count, int(run.spec.trainer.resources_per_node.limits["cpu"].cores) or 1))
    for_data = data_cpus or max(1, machine.cpus - count * per_trainer)
    trainer_nodes = min(run.spec.trainer.num_nodes, count)
    while count % trainer_nodes:
        trainer_nodes -= 1
    data_nodes = min(run.spec.data.num_nodes, for_data)
    stores = data_nodes + trainer_nodes
    store = min(machine.memory_bytes // 4, int(machine.shared_memory_bytes * 0.8)) // stores
    return Size(
        trainers=count,
        trainer_nodes=trainer_nodes,
        cpus_per_trainer=per_trainer,
        gpus_per_trainer=min(wanted_gpus, machine.gpus // count) if has_gpus else 0,
        data_nodes=data_nodes,
        data_cpus=for_data,
        object_store_bytes=max(128 << 20, min(store, 2 * _GIB)),
    )


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
