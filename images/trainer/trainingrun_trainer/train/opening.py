"""Puts the session of a rank together, of what the rank has: who drives the attempt, and where rows come from.

It must not ask anybody which rank this process is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from trainingrun.spec import Run
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.beside import Beside
from trainingrun_trainer.train.checkpoint_book import Writer
from trainingrun_trainer.train.checkpointing import Saver
from trainingrun_trainer.train.feed import Feed, Rows
from trainingrun_trainer.train.initial import Initial
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.reporter import Driver, Reporter
from trainingrun_trainer.train.session import Session


@dataclass(frozen=True)
class Task:
    """What all ranks of an attempt are to do. `total_rows` is None where only reading tells.

    `recorded` is what checkpoints say about where they come from, `fence` whose the folder is, `initial` what training
    starts from without one: see checkpointing.Saver.
    """

    run: Run
    storage: RunStorage
    attempt: int
    total_rows: int | None
    recorded: dict[str, Any]
    fence: str | None = None
    initial: Initial | None = None


@dataclass(frozen=True)
class Rank:
    """One rank. `generation` counts how often ranks have been started in this attempt, from 1; `beside`: see Feed.

    `driver` is None on ranks that do not report.
    """

    lockstep: Lockstep
    device: torch.device
    node: str
    generation: int
    driver: Driver | None
    rows: Rows
    beside: Beside | None = None


def open_session(task: Task, rank: Rank) -> Session:
    """The session of this rank."""
    recipe = task.run.spec.recipe
    if recipe is None:
        raise RuntimeError("a run with its own command has no built-in training function")
    reporter = Reporter(rank.driver)
    return Session(
        task.run,
        device=rank.device,
        lockstep=rank.lockstep,
        reporter=reporter,
        feed=Feed(recipe, rank.rows, rank.lockstep, rank.device, generation=rank.generation, beside=rank.beside),
        saver=Saver(
            task.storage,
            rank.lockstep,
            Writer(task.attempt, rank.generation),
            num_to_keep=task.run.spec.storage.checkpoints.num_to_keep,
            recorded=task.recorded,
            notify=lambda level, message: reporter.tell("Notice", level=level, message=message),
            fence=task.fence,
            initial=task.initial,
        ),
        node=rank.node,
        generation=rank.generation,
        total_rows=task.total_rows,
    )
