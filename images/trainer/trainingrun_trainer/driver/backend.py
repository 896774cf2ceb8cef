"""What the training workers talk with: NCCL between GPUs, gloo between CPUs.

Workers look at what they have before they connect, when there would be only a traceback of torch's. How they connect is
Ray Train's own; but its module of it loads torch, which takes seconds, so that only workers may load that. This one is
loaded by Ray Train's controller, for which the workers wait, and which itself computes nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ray
from ray.train._internal.utils import get_address_and_port
from ray.train.backend import Backend, BackendConfig

from trainingrun_trainer.driver.devices import devices_here, use_of, used_gpus
from trainingrun_trainer.driver.hub import HUB_NAME
from trainingrun_trainer.placement import Workers

# As long as Ray Train's own TorchConfig waits for a rank that does not answer, and for ranks that part.
_ANSWER_SECONDS = 1800
_PARTING_SECONDS = 30


@dataclass
class _Config(BackendConfig):
    """`gpus` of each worker that it is to use, and `cpus` that it has."""

    backend: str
    gpus: int
    cpus: float

    @property
    def backend_cls(self) -> type[_Backend]:
        return _Backend

    @property
    def train_func_context(self) -> Any:
        return _on_own_device


class _Backend(Backend):
    share_cuda_visible_devices = True

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        found = worker_group.execute(devices_here, backend_config.gpus)
        address, port = worker_group.execute_single(0, get_address_and_port)
        count = len(worker_group)
        ray.get(
            [
                worker_group.execute_single_async(rank, connect, backend_config.backend, address, port, rank, count)
                for rank in range(count)
            ]
        )
        _tell(use_of(found, Workers(count, backend_config.gpus, backend_config.cpus)))

    def on_shutdown(self, worker_group: Any, backend_config: Any) -> None:
        parting = worker_group.execute_async(part, len(worker_group))
        with contextlib.suppress(ray.exceptions.GetTimeoutError):
            ray.get(parting, timeout=_PARTING_SECONDS)


def torch_config(workers: Workers) -> BackendConfig:
    """The workers' backend. The driver cannot look for itself: its machine need not have a GPU."""
    gpus = used_gpus(workers)
    return _Config(backend="nccl" if gpus else "gloo", gpus=gpus, cpus=workers.cpus)


def connect(backend: str, address: str, port: int, rank: int, count: int) -> None:
    """Make this worker a rank of torch's process group, by what Ray Train does for its TorchConfig."""
    from ray.train.torch.config import _set_torch_distributed_env_vars, _setup_torch_process_group

    os.environ |= {"MASTER_ADDR": address, "MASTER_PORT": str(port)}
    _set_torch_distributed_env_vars()
    _setup_torch_process_group(backend, rank, count, "env://", _ANSWER_SECONDS)


def part(count: int) -> None:
    """Leave the process group, if there is more than one rank in it."""
    from ray.train.torch.config import _shutdown_torch

    _shutdown_torch(destroy_process_group=count > 1)


@contextlib.contextmanager
def _on_own_device() -> Iterator[None]:
    """Within it this worker's GPU is the current one."""
    from ray.train.torch.config import TorchConfigContextManager

    with TorchConfigContextManager():
        yield


def _tell(notice: dict[str, Any]) -> None:
    ray.get_actor(HUB_NAME).tell.remote("Notice", notice)
