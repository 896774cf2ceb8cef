"""What the training workers talk with: NCCL between GPUs, gloo between CPUs.

Workers look at what they have before they connect, when there would be only a traceback of torch's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ray
from ray.train.torch import TorchConfig
from ray.train.torch.config import _TorchBackend

from trainingrun_trainer.driver.devices import devices_here, use_of, used_gpus
from trainingrun_trainer.driver.hub import HUB_NAME
from trainingrun_trainer.placement import Workers


@dataclass
class _Config(TorchConfig):
    """`gpus` of each worker that it is to use, and `cpus` that it has."""

    gpus: int = 0
    cpus: float = 1.0

    @property
    def backend_cls(self) -> type[_Backend]:
        return _Backend


class _Backend(_TorchBackend):
    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        found = worker_group.execute(devices_here, backend_config.gpus)
        super().on_start(worker_group, backend_config)
        _tell(use_of(found, Workers(len(found), backend_config.gpus, backend_config.cpus)))


def torch_config(workers: Workers) -> TorchConfig:
    """The workers' backend. The driver cannot look for itself: its machine need not have a GPU."""
    gpus = used_gpus(workers)
    return _Config(backend="nccl" if gpus else "gloo", gpus=gpus, cpus=workers.cpus)


def _tell(notice: dict[str, Any]) -> None:
    ray.get_actor(HUB_NAME).tell.remote("Notice", notice)
