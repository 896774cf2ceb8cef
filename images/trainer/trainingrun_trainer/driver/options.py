"""What can be said to a training process: by arguments, or by the environment where a script has its own arguments."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from trainingrun.contract.variables import ATTEMPT, CONFIG, JSON, NUM_WORKERS, WORKER_CPUS, WORKER_GPUS
from trainingrun.spec import Run
from trainingrun_trainer.driver.shape import workers_of
from trainingrun_trainer.placement import Workers

_ADDRESS = "Ray cluster to use, or - to read it from standard input; default: the one that this process is part of"


@dataclass(frozen=True)
class Options:
    """See the help texts. `address` None is the cluster that this process is part of."""

    config: str | None
    address: str | None
    json: bool
    attempt: int | None
    num_workers: int | None
    worker_cpus: float
    worker_gpus: int

    def workers(self, run: Run) -> Workers:
        """The workers to start: the run's own, unless another number is asked for."""
        if self.num_workers is None:
            return workers_of(run)
        return Workers(self.num_workers, gpus=self.worker_gpus, cpus=self.worker_cpus)


def parse(arguments: list[str]) -> Options:
    """Options from arguments, and from the environment for those not given."""
    parser = argparse.ArgumentParser(
        prog="python -m trainingrun_trainer", description="Train the run of a file on a Ray cluster."
    )
    parser.add_argument("--config", default=os.environ.get(CONFIG), help=f"file with one TrainingRun ({CONFIG})")
    parser.add_argument("--address", help=_ADDRESS)
    parser.add_argument(
        "--json", action="store_true", default=bool(os.environ.get(JSON)), help=f"print records as JSON lines ({JSON})"
    )
    numbers = (
        (
            "--attempt",
            int,
            ATTEMPT,
            None,
            "number of this attempt; default: the next one after those in the run's folder, from 0",
        ),
        ("--num-workers", int, NUM_WORKERS, None, "training workers; default: the run's own number"),
        ("--worker-cpus", float, WORKER_CPUS, "1", "with --num-workers: CPUs of each"),
        ("--worker-gpus", int, WORKER_GPUS, "0", "with --num-workers: GPUs of each"),
    )
    for flag, kind, variable, default, text in numbers:
        parser.add_argument(flag, type=kind, default=os.environ.get(variable, default), help=f"{text} ({variable})")
    return Options(**vars(parser.parse_args(arguments)))
