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
from collections.abc import Callable
from typing import Any, NoReturn

from trainingrun.spec import Run
from trainingrun_trainer.driver import options
from trainingrun_trainer.driver.entrypoint import prepare_environment


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


def report(metrics: dict[str, float], *, epoch: int, epochs: int, checkpoint: Any = None) -> None:
    """`ray.train.report` that also shows progress. `epoch` counts from 0. Call it equally often on every rank."""
    import ray
    import ray.train

    ray.train.report(metrics, checkpoint=checkpoint)
    if ray.train.get_context().get_world_rank() != 0:
        return
    share = (epoch + 1) / epochs
    status: dict[str, Any] = {
        "epoch": epoch,
        "epochs": epochs,
        "step": epoch + 1,
        "total_steps": epochs,
        "percent": 100 * share,
        "rows": None,
        "rows_per_second": None,
        "metrics": metrics,
        "eta_seconds": None,
        "stall": None,
        "goodput_percent": None,
    }
    ray.get(_hub().publish.remote(status))


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
