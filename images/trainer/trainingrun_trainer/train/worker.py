"""Opens the session of a worker: the one place of training that asks Ray which rank this process is.

It must not train.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch

from trainingrun.spec import parse
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpoint_book import Writer
from trainingrun_trainer.train.checkpointing import Saver
from trainingrun_trainer.train.feed import Feed
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.reporter import Reporter
from trainingrun_trainer.train.session import Session


@dataclass(frozen=True)
class LoopConfig:
    """What a worker needs besides its place in the world. `total_rows` is None where only reading tells.

    `recorded` is what checkpoints say about where they come from: see checkpointing.Saver.
    """

    document: dict[str, Any]
    storage: RunStorage
    hub: Any
    attempt: int
    total_rows: int | None
    recorded: dict[str, Any]


def open_session(config: LoopConfig) -> Session:
    """The session of the worker that this process is, as Ray Train has started it."""
    run = parse(config.document)
    if run.spec.recipe is None:
        raise RuntimeError("a run with its own command has no built-in training function")
    context = ray.train.get_context()
    lockstep = Lockstep(context.get_world_rank(), context.get_world_size())
    device = ray.train.torch.get_device() if torch.cuda.is_available() else torch.device("cpu")
    # How many times Ray has started the workers in this attempt.
    generation: int = lockstep.broadcast(ray.get(config.hub.join.remote()) if lockstep.rank == 0 else None)
    reporter = Reporter(config.hub, is_reporting=lockstep.rank == 0)

    return Session(
        run,
        device=device,
        lockstep=lockstep,
        reporter=reporter,
        feed=Feed(run.spec.recipe, config.hub, lockstep, device, generation=generation),
        saver=Saver(
            config.storage,
            lockstep,
            Writer(config.attempt, generation),
            num_to_keep=run.spec.storage.checkpoints.num_to_keep,
            recorded=config.recorded,
            notify=lambda level, message: reporter.tell("Notice", level=level, message=message),
        ),
        node=ray.get_runtime_context().get_node_id(),
        generation=generation,
        total_rows=config.total_rows,
    )
