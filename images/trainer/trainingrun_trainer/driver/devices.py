"""What a training process has, checked and said: the GPUs that torch can use there, and the machine around them.

Ray believes a pod's limits; whether torch can use what is called a GPU there shows only in a process that is to use it.
So the run says what it holds and what of that it uses. It must not decide where workers are: `placement` does; nor load
torch before it is needed: Ray Train's controller loads this too.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import Any

from trainingrun.contract.progress_metrics import CPUS_HELD, CPUS_USED, GPUS_HELD, GPUS_USED
from trainingrun.contract.variables import TRAIN_ON_CPU
from trainingrun.history.figures import plural, size
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.machine import CUDA_VISIBLE_DEVICES, Machine, this_machine
from trainingrun_trainer.placement import Workers

_LIMITS = "spec.trainer.resourcesPerNode.limits"


@dataclass(frozen=True)
class Devices:
    """What one worker has: the names of the GPUs that it may use, and the machine or pod around it."""

    host: str
    gpus: tuple[str, ...]
    machine: Machine


def used_gpus(workers: Workers) -> int:
    """The GPUs that each of these workers is to use."""
    return 0 if os.environ.get(TRAIN_ON_CPU) else workers.gpus


def devices_here(gpus: int) -> Devices:
    """What this process has, of which it is to use so many GPUs. Raises InvalidConfiguration if torch cannot."""
    import torch

    if gpus and not torch.cuda.is_available():
        raise InvalidConfiguration(
            f"{_LIMITS}: found a GPU that CUDA cannot use, on {platform.node()}{_why_unusable()}; allowed: "
            f"GPUs whose driver supports the image's CUDA ({torch.version.cuda}), or {TRAIN_ON_CPU}=1 in spec.env, "
            "which leaves them unused"
        )
    names = tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())) if gpus else ()
    if len(names) < gpus:
        raise InvalidConfiguration(
            f"{_LIMITS}: found {plural(len(names), 'GPU')} that CUDA can use, on {platform.node()}, allowed: at least "
            f"{gpus}, which each training process is to have"
        )
    return Devices(platform.node(), names, this_machine())


def _why_unusable() -> str:
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return ", as the image's torch is built for CPUs only"
    hidden = os.environ.get(CUDA_VISIBLE_DEVICES)
    return f', as {CUDA_VISIBLE_DEVICES} is "{hidden}"' if hidden in ("", "-1") else ""


def use_of(found: list[Devices], workers: Workers) -> dict[str, Any]:
    """What training uses and what its machines (on a cluster: pods) hold, as the fields of a notice."""
    machines = {devices.host: devices.machine for devices in found}.values()
    names = ", ".join(sorted({name for devices in found for name in devices.gpus}))
    used = workers.count * workers.gpus
    held = max(sum(len(machine.gpus) for machine in machines), used)
    cpus = sum(machine.cpus for machine in machines)
    memory = size(sum(machine.memory_bytes for machine in machines))
    used_cpus = workers.count * workers.cpus
    message = (
        f"training uses {_gpus(used)}{f' ({names})' if names else ''} and {used_cpus:g} CPU; "
        f"{'its machine holds' if len(machines) == 1 else f'its {len(machines)} machines hold'} "
        f"{_gpus(held)}, {cpus} CPU and {memory}"
    )
    figures = {GPUS_USED: used, GPUS_HELD: held, CPUS_USED: used_cpus, CPUS_HELD: cpus}
    return {
        "level": "Warning" if held > used else "Info",
        "message": message,
        "figures": {name: float(number) for name, number in figures.items()},
    }


def _gpus(count: int) -> str:
    return plural(count, "GPU") if count else "no GPU"
