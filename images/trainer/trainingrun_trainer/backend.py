"""What the training workers talk with: NCCL between GPUs, gloo between CPUs.

Ray believes a pod's limits. Whether torch can use what is called a GPU there shows only in a worker's process, so that
the workers look before they connect: afterwards there would be only a traceback of torch's.
"""

from __future__ import annotations

import os
import platform
from typing import Any

import torch
from ray.train.torch import TorchConfig
from ray.train.torch.config import _TorchBackend

from trainingrun_trainer.errors import InvalidConfiguration
from trainingrun_trainer.placement import Workers

# Set for runs whose pods get a resource that is called a GPU and is none, as in tests of the placement.
_TRAIN_ON_CPU = "TRAININGRUN_TRAIN_ON_CPU"


def torch_config(workers: Workers) -> TorchConfig:
    """The workers' backend. The driver cannot look for itself: its machine need not have a GPU."""
    if workers.gpus and not os.environ.get(_TRAIN_ON_CPU):
        return _GpuConfig(backend="nccl")
    return TorchConfig(backend="gloo")


class _GpuBackend(_TorchBackend):
    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        worker_group.execute(require_gpu)
        super().on_start(worker_group, backend_config)


class _GpuConfig(TorchConfig):
    @property
    def backend_cls(self) -> type[_GpuBackend]:
        return _GpuBackend


def require_gpu() -> None:
    """Make sure that torch can use a GPU in this process. Raises InvalidConfiguration."""
    if not torch.cuda.is_available():
        raise InvalidConfiguration(
            f"spec.trainer.resourcesPerNode.limits: found a GPU that CUDA cannot use, on {platform.node()}; allowed: "
            f"GPUs whose driver fits the image's CUDA ({torch.version.cuda}), or {_TRAIN_ON_CPU}=1 in spec.env, which "
            "leaves them unused"
        )
