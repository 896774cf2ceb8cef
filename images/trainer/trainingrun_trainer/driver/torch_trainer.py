"""Turns a plan into Ray Train's TorchTrainer: datasets, workers, folder and retries, all from the run.

Nothing is started here. The placement of everything follows from `placement`. Workers talk by NCCL between GPUs and
by gloo between CPUs. Ray believes a pod's limits; whether torch can use what is called a GPU there shows only in a
worker's process, so workers check before they connect: afterwards there would be only a traceback of torch's.
"""

from __future__ import annotations

import dataclasses
import os
import platform
from typing import Any

import ray
import ray.train
import torch
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.torch.config import _TorchBackend

from trainingrun.contract.variables import TRAIN_ON_CPU
from trainingrun.spec import Run
from trainingrun_trainer import placement
from trainingrun_trainer.data.pipeline import ExactDataConfig, build_dataset
from trainingrun_trainer.data.transform_check import probe
from trainingrun_trainer.driver.plan import Plan
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.placement import Workers
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.loop import train
from trainingrun_trainer.train.worker import LoopConfig


def torch_trainer(plan: Plan, hub: Any, attempt: int) -> TorchTrainer:
    """The trainer for one attempt at the built-in recipe."""
    loop = LoopConfig(
        document=plan.run.to_document(),
        storage=plan.storage,
        hub=hub,
        attempt=attempt,
        batch_rows=plan.batch_rows,
        row_bytes=plan.listings["train"].row_bytes,
        total_rows=plan.listings["train"].rows,
    )
    return TorchTrainer(
        train,
        train_loop_config={"loop": loop},
        datasets={name: _dataset(plan, name, hub) for name in plan.listings},
        **trainer_options(plan.run, plan.storage, plan.workers),
    )


def start_probe(plan: Plan) -> Any:
    """Try the plan's transform on a sample, as a task on the data group; None where there is nothing to try."""
    if plan.transform is None:
        return None
    dataset = plan.recipe.dataset
    task = ray.remote(num_cpus=1, label_selector=dict(placement.DATA_SELECTOR), max_retries=0)(probe)
    sample = plan.listings["train"].inspection.sample
    return task.remote(sample, plan.transform, dataset.inputs[0], dataset.targets[0])


def trainer_options(run: Run, storage: RunStorage, workers: Workers) -> dict[str, Any]:
    """Keyword arguments of TorchTrainer that follow from the run: where things run, are kept, and are retried."""
    filesystem, path = storage.filesystem()
    quiet: dict[str, Any] = {
        # What matters of Ray's log is in our records; the rest is in Ray's own files.
        "logging_config": ray.train.LoggingConfig(log_level="ERROR"),
        "checkpoint_config": ray.train.CheckpointConfig(num_to_keep=run.spec.storage.checkpoints.num_to_keep),
    }
    return {
        "dataset_config": ExactDataConfig(),
        "scaling_config": placement.scaling_config(workers),
        "torch_config": torch_config(workers),
        "run_config": ray.train.RunConfig(
            name=storage.name,
            storage_path=path,
            storage_filesystem=filesystem,
            failure_config=ray.train.FailureConfig(max_failures=run.spec.backoff_limit),
            **quiet,
        ),
    }


def _dataset(plan: Plan, name: str, hub: Any) -> Any:
    transform = dataclasses.replace(plan.transform, training=name == "train") if plan.transform else None
    return build_dataset(name, plan.listings[name], transform, hub, plan.workers.count)


def torch_config(workers: Workers) -> TorchConfig:
    """The workers' backend. The driver cannot look for itself: its machine need not have a GPU."""
    if workers.gpus and not os.environ.get(TRAIN_ON_CPU):
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
            f"GPUs whose driver supports the image's CUDA ({torch.version.cuda}), or {TRAIN_ON_CPU}=1 in spec.env, "
            "which leaves them unused"
        )
