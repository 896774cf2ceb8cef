"""Turns a plan into Ray Train's TorchTrainer: workers, folder and retries, all from the run.

Nothing is started here but what Ray Train would start later. The placement of everything follows from `placement`, what
workers talk with from `backend`.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from typing import Any

import pyarrow.fs
import ray.train
from ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator import get_or_create_autoscaling_coordinator
from ray.train.torch import TorchTrainer

from trainingrun.spec import Run
from trainingrun_trainer import placement
from trainingrun_trainer.driver.backend import torch_config
from trainingrun_trainer.driver.plan import Plan
from trainingrun_trainer.placement import Workers
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.initial import initial_of
from trainingrun_trainer.train.worker import LoopConfig, train_on_worker


def torch_trainer(plan: Plan, hub: Any, attempt: int, fence: str | None) -> TorchTrainer:
    """The trainer for one attempt at the built-in recipe; `fence`: see checkpointing.Saver."""
    loop = LoopConfig(
        document=plan.run.to_document(),
        storage=plan.storage,
        hub=hub,
        attempt=attempt,
        total_rows=plan.listings["train"].rows,
        recorded=plan.recorded(),
        fence=fence,
        initial=initial_of(plan.run, plan.storage),
    )
    return TorchTrainer(
        train_on_worker,
        train_loop_config={"loop": loop},
        **trainer_options(plan.run, RunStorage(_folder_for_ray(), plan.storage.name), plan.workers),
    )


def start_ahead() -> None:
    """Start what Ray Train's controller first waits for once it has loaded, for seconds, so that both load at once.

    The actor has a name, by which the controller finds this one.
    """
    get_or_create_autoscaling_coordinator()


def _folder_for_ray() -> str:
    """Ray Train insists on a folder for checkpoints. It gets none of ours, and what others left there is not read."""
    folder = tempfile.mkdtemp(prefix="trainingrun-ray-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def trainer_options(run: Run, storage: RunStorage, workers: Workers) -> dict[str, Any]:
    """Keyword arguments of TorchTrainer that follow from the run: where things run, and are retried.

    `storage` is where Ray Train keeps what is reported to it, which only a script of one's own does.
    """
    filesystem, path = _for_arrow(storage)
    quiet: dict[str, Any] = {
        # What matters of Ray's log is in our records; the rest is in Ray's own files.
        "logging_config": ray.train.LoggingConfig(log_level="ERROR"),
        "checkpoint_config": ray.train.CheckpointConfig(num_to_keep=run.spec.storage.checkpoints.num_to_keep),
    }
    return {
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


def _for_arrow(storage: RunStorage) -> tuple[pyarrow.fs.FileSystem, str]:
    filesystem, path = storage.filesystem()
    if storage.local_directory is not None:
        return pyarrow.fs.LocalFileSystem(), path
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(filesystem)), path
