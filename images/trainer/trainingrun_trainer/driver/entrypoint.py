"""What `python -m trainingrun_trainer` does: one attempt at the run's recipe."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from trainingrun.spec import Run
from trainingrun_trainer.driver import options

if TYPE_CHECKING:
    from ray.train.torch import TorchTrainer


def main(arguments: list[str]) -> int:
    """Train the run that the arguments name; returns the process's exit code."""
    chosen = options.parse(arguments)
    prepare_environment()
    from trainingrun_trainer.driver.attempt import Job
    from trainingrun_trainer.driver.data_pool import pool_of
    from trainingrun_trainer.driver.datasets import first_pass
    from trainingrun_trainer.driver.decisions import decisions, stored_columns
    from trainingrun_trainer.driver.launch import launch
    from trainingrun_trainer.driver.plan import plan_of
    from trainingrun_trainer.driver.torch_trainer import start_ahead, torch_trainer
    from trainingrun_trainer.explanation import data_sentence
    from trainingrun_trainer.train.checkpoint_book import is_trained

    def job_of(run: Run, attempt: int, fence: str | None) -> Job:
        plan = plan_of(run, chosen.workers(run))

        def trainer(hub: Any) -> TorchTrainer:
            start_ahead()
            return torch_trainer(plan, hub, attempt, fence)

        return Job(
            run=run,
            storage=plan.storage,
            workers=plan.workers,
            trainer=trainer,
            pool=lambda: pool_of(plan, is_own_cluster=chosen.num_workers is None),
            first_pass=lambda: first_pass(plan),
            notices=tuple(notice for listing in plan.listings.values() for notice in listing.notices),
            said=(data_sentence(stored_columns(plan.listings["train"])), *decisions(plan)),
            is_complete=lambda: is_trained(plan.storage, plan.recipe.epochs),
        )

    return int(launch(chosen, job_of))


def prepare_environment() -> None:
    """Settings that Ray Train reads when it is imported: lost workers are noticed within a second.

    The driver itself looks for nodes that are preempted; what of this the environment sets otherwise is respected.
    """
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "1")
    os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "120")
