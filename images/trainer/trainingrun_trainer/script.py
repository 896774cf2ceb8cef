"""For a training script of one's own (`spec.trainer.command`): Ray Train's own API, with the run's file behind it.

    import ray
    from trainingrun_trainer import script

    def datasets():
        return {"train": ray.data.read_parquet("/mnt/cluster_storage/datasets/mnist/train")}

    def loop(config):
        for epoch in range(10):
            ...
            script.report({"loss": loss}, checkpoint=checkpoint, epoch=epoch, epochs=10)
            if script.should_stop():
                return

    if __name__ == "__main__":
        script.main(loop, datasets)

The process then places data and training on their groups, resumes, reports progress, hears signals and ends with
the same exit codes as the built-in recipe. It must not know anything of recipes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from trainingrun.spec import Run
from trainingrun_trainer.driver import options
from trainingrun_trainer.driver.entrypoint import prepare_environment

_LOG_SECONDS = 1.0


def main(
    train_loop: Callable[..., None],
    datasets: Callable[[], dict[str, Any]] | None = None,
    train_loop_config: dict[str, Any] | None = None,
) -> NoReturn:
    """Run `train_loop` on the run's workers and end the process with the attempt's exit code.

    `datasets` is called once Ray is connected; what it builds runs on the data group only.
    """
    prepare_environment()
    from ray.train.torch import TorchTrainer

    from trainingrun_trainer.driver.attempt import Job
    from trainingrun_trainer.driver.launch import launch
    from trainingrun_trainer.driver.own_data import ExactDataConfig, on_data_group
    from trainingrun_trainer.driver.shape import storage_of
    from trainingrun_trainer.driver.torch_trainer import trainer_options

    chosen = options.parse([])

    def job_of(run: Run, attempt: int, fence: str | None) -> Job:
        workers, storage = chosen.workers(run), storage_of(run)

        def trainer(hub: Any) -> TorchTrainer:
            with on_data_group():
                built = datasets() if datasets else {}
            return TorchTrainer(
                train_loop,
                train_loop_config=train_loop_config,
                datasets=built,
                dataset_config=ExactDataConfig(),
                **trainer_options(run, storage, workers),
            )

        return Job(run=run, storage=storage, workers=workers, trainer=trainer, is_finished_by_return=True)

    sys.exit(int(launch(chosen, job_of)))


@dataclass
class _Reported:
    """What this process has reported. `step` is None until one was named; `since` is when the epoch began."""

    epoch: int = 0
    epochs: int = 1
    step: int | None = None
    since: float = field(default_factory=time.monotonic)
    next_log: float = 0.0


_reported = _Reported()


def report(metrics: dict[str, float], *, epoch: int, epochs: int, checkpoint: Any = None) -> None:
    """`ray.train.report` at the end of an epoch that also records its metrics and shows progress.

    `epoch` counts from 0. Call it equally often on every rank; rank 0's metrics count.
    """
    import ray
    import ray.train

    ray.train.report(metrics, checkpoint=checkpoint)
    if ray.train.get_context().get_world_rank() != 0:
        return
    began, _reported.since = _reported.since, time.monotonic()
    _reported.epoch, _reported.epochs = epoch + 1, epochs
    step = _reported.step if _reported.step is not None else epoch + 1
    ended = {"epoch": epoch, "epochs": epochs, "step": step, "rows": None, "metrics": metrics, "stall": None}
    ray.get(_hub().tell.remote("EpochEnded", {**ended, "seconds": _reported.since - began}))
    ray.get(_hub().publish.remote(_status(step, metrics)))


def log(values: dict[str, float], *, step: int, epoch: int, epochs: int) -> None:
    """Record numbers within an epoch, such as a loss, at the optimizer's `step`, which counts from the run's beginning.

    `epoch` counts from 0. At most one call a second is recorded, and none is waited for. Any rank may call it; rank 0's
    values count.
    """
    import ray.train

    if ray.train.get_context().get_world_rank() != 0:
        return
    _reported.step, _reported.epoch, _reported.epochs = step, epoch, epochs
    if time.monotonic() >= _reported.next_log:
        _reported.next_log = time.monotonic() + _LOG_SECONDS
        _hub().publish.remote(_status(step, {name: float(value) for name, value in values.items()}))


def _status(step: int, metrics: dict[str, float]) -> dict[str, Any]:
    """The fields of the record Progress."""
    epoch, epochs = _reported.epoch, _reported.epochs
    return {
        "epoch": epoch,
        "epochs": epochs,
        "step": step,
        "total_steps": epochs if _reported.step is None else None,
        "percent": 100 * epoch / epochs,
        "rows": None,
        "rows_per_second": None,
        "metrics": metrics,
        "eta_seconds": None,
        "stall": None,
        "goodput_percent": None,
    }


def should_stop() -> bool:
    """Whether to save a checkpoint and return. All ranks get the same answer, so all must ask equally often."""
    import ray
    import ray.train
    from ray.train.collective import broadcast_from_rank_zero

    is_first = ray.train.get_context().get_world_rank() == 0
    return bool(broadcast_from_rank_zero(ray.get(_hub().is_stop_requested.remote()) if is_first else None))


def _hub() -> Any:
    import ray

    from trainingrun_trainer.driver.hub import HUB_NAME

    return ray.get_actor(HUB_NAME)
