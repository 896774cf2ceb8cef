"""Trains a run in this process, from its document to its last record, in the time that the training itself takes.

The driver's attempt, the plan, the data worker, the hub and the training function are the real ones; `process_boundary`
stands in for what Ray does between them.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from process_boundary import one_process

from trainingrun.contract.exits import Exit
from trainingrun.contract.records import AttemptEnded, CheckpointSaved, EpochEnded, Notice, Record
from trainingrun.errors import InvalidSpec
from trainingrun.spec import parse
from trainingrun_trainer.driver.attempt import Attempt, Job, StopRequest
from trainingrun_trainer.driver.attempt_records import ended
from trainingrun_trainer.driver.data_pool import pool_of
from trainingrun_trainer.driver.datasets import first_pass
from trainingrun_trainer.driver.plan import plan_of
from trainingrun_trainer.driver.torch_trainer import torch_trainer
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import Failure
from trainingrun_trainer.local.adapt import adapt
from trainingrun_trainer.placement import Workers


@dataclass
class Told:
    """The records of one attempt, in order; `seconds` is how long the attempt took."""

    records: list[Record] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def end(self) -> AttemptEnded:
        last = self.records[-1]
        assert isinstance(last, AttemptEnded)
        return last

    @property
    def notices(self) -> list[str]:
        return [record.message for record in self.records if isinstance(record, Notice)]

    @property
    def epochs(self) -> list[EpochEnded]:
        return [record for record in self.records if isinstance(record, EpochEnded)]

    @property
    def has_checkpoint(self) -> bool:
        return any(isinstance(record, CheckpointSaved) for record in self.records)

    @property
    def metrics(self) -> dict[str, float]:
        """Those of the last epoch."""
        return self.epochs[-1].metrics if self.epochs else {}


def train(document: dict[str, Any], volume: Path, *modules: Path) -> Told:
    """One attempt at the run that `document` describes; hooks are looked for in the folders `modules`."""
    told = Told()
    began, at = time.time(), time.monotonic()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    stop = StopRequest()
    try:
        with _importable(modules), one_process():
            try:
                told.records.append(Attempt(_job(document, volume), 0, told.records.append, stop).run())
            except Exception as error:  # as the launcher does
                invalid = Failure(Exit.INVALID_CONFIG, str(error)) if isinstance(error, InvalidSpec) else None
                told.records.append(ended(invalid or failure_of(error), 0, began))
    finally:
        torch.set_num_threads(threads)
    told.seconds = time.monotonic() - at
    return told


def _job(document: dict[str, Any], volume: Path) -> Job:
    plan = plan_of(adapt(parse(document), volume).run, Workers(count=1, gpus=0, cpus=1.0))
    return Job(
        run=plan.run,
        storage=plan.storage,
        workers=plan.workers,
        trainer=lambda hub: torch_trainer(plan, hub, 0, None),
        pool=lambda: pool_of(plan, is_own_cluster=False),
        first_pass=lambda: first_pass(plan),
    )


@contextlib.contextmanager
def _importable(folders: tuple[Path, ...]) -> Iterator[None]:
    """Modules in `folders` can be imported, and are forgotten afterwards."""
    before, path = set(sys.modules), list(sys.path)
    sys.path[:0] = [str(folder) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            if origin and any(Path(origin).is_relative_to(folder) for folder in folders):
                del sys.modules[name]
