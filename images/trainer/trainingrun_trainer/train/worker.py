"""The training function that Ray Train runs on every worker: the one place of training that asks Ray which rank it is.

It must not know what training is. Loading this module must load neither torch nor the rest of training: Ray Train's
controller, which starts the workers and trains nothing, loads it too, and workers wait for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray

from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.initial import Initial

if TYPE_CHECKING:
    from trainingrun_trainer.train.opening import Rank


@dataclass(frozen=True)
class LoopConfig:
    """What a worker needs besides its place in the world: the run as a document, and the fields of Task."""

    document: dict[str, Any]
    storage: RunStorage
    hub: Any
    attempt: int
    total_rows: int | None
    recorded: dict[str, Any]
    fence: str | None
    initial: Initial | None


def train_on_worker(config: dict[str, Any]) -> None:
    """The training function. `config["loop"]` is a LoopConfig."""
    loop: LoopConfig = config["loop"]
    with _failures_told(loop.hub):
        from trainingrun.spec import parse
        from trainingrun_trainer.train.loop import train
        from trainingrun_trainer.train.opening import Task, open_session

        run = parse(loop.document)
        task = Task(run, loop.storage, loop.attempt, loop.total_rows, loop.recorded, loop.fence, loop.initial)
        train(open_session(task, _this_rank(loop.hub)))


def _this_rank(hub: Any) -> Rank:
    import ray.train.torch
    import torch

    from trainingrun_trainer.pool.client import HubRows
    from trainingrun_trainer.train.hub_link import HubLink
    from trainingrun_trainer.train.lockstep import Lockstep
    from trainingrun_trainer.train.opening import Rank

    context = ray.train.get_context()
    lockstep = Lockstep(context.get_world_rank(), context.get_world_size())
    # How many times Ray has started the workers in this attempt.
    generation: int = lockstep.broadcast(ray.get(hub.join.remote()) if lockstep.rank == 0 else None)
    return Rank(
        lockstep=lockstep,
        device=ray.train.torch.get_device() if torch.cuda.is_available() else torch.device("cpu"),
        node=ray.get_runtime_context().get_node_id(),
        generation=generation,
        driver=HubLink(hub) if lockstep.rank == 0 else None,
        rows=HubRows(hub, lockstep.rank),
    )


@contextmanager
def _failures_told(hub: Any) -> Iterator[None]:
    """Tell the hub of an exception before Ray wraps it, then let it go on: Ray must end the other workers."""
    try:
        yield
    except Exception as error:
        ray.get(hub.fail.remote(failure_of(error)))
        raise
