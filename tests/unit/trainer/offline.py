"""Trains the built-in loop without Ray: rows come from tensors, checkpoints stay in memory, news in lists.

`train` is one process; `ranks` several, which exchange gradients by gloo.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist
from offline_parts import Feed, News, Plan, Store

from trainingrun.spec import parse
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.loop import Training
from trainingrun_trainer.train.session import Session


def session(plan: Plan, news: News, lockstep: Lockstep, start: SimpleNamespace | None = None) -> Session:
    document = {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": "offline"},
        "spec": {
            "image": "registry.example/training:1",
            "recipe": plan.recipe,
            "storage": {"uri": "s3://runs/offline", "checkpoints": plan.checkpoints},
            "trainer": {"numNodes": lockstep.world_size},
            "data": {"numNodes": 1},
        },
    }
    feed = Feed(plan, lockstep.rank)
    return Session(
        parse(document),
        device=torch.device("cpu"),
        lockstep=lockstep,
        reporter=news,
        feed=feed,
        saver=Store(news, feed, start),
        node="here",
        generation=1,
        total_rows=None,
    )


def train(plan: Plan, news: News | None = None, start: SimpleNamespace | None = None) -> News:
    """Train a plan to its end in this process; whatever it raises goes on. `news` has what was told until then."""
    news = news or News()
    Training(session(plan, news, Lockstep(0, 1), start)).run()
    return news


@dataclass
class Outcome:
    """How one of several ranks has ended: its last weights, or what it raised."""

    weights: dict[str, torch.Tensor]
    news: News
    error: str


def ranks(count: int, plan: Plan, before: Callable[[], None] | None = None) -> list[Outcome]:
    """Train a plan on several ranks. `before` is called in each process first; it must be a function of a module."""
    with tempfile.TemporaryDirectory() as place:
        together(count, _rank, plan, before, place)
        return [torch.load(Path(place) / f"{rank}.pt", weights_only=False) for rank in range(count)]


def together(count: int, work: Callable[..., None], *arguments: Any) -> None:
    """Call `work`, a function of a module, with (rank, count, *arguments) in as many processes, and wait for all."""
    context = multiprocessing.get_context("forkserver")
    # Once and for all ranks: this takes seconds, and the optimizer and DDP would import torch._dynamo.
    context.set_forkserver_preload(["trainingrun_trainer.train.loop", "torch._dynamo"])
    processes = [context.Process(target=work, args=(rank, count, *arguments), daemon=True) for rank in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=90)
    hung = [rank for rank, process in enumerate(processes) if process.is_alive()]
    for rank in hung:
        processes[rank].kill()
    assert not hung, f"ranks {hung} wait for each other"
    assert [process.exitcode for process in processes] == [0] * count


def _rank(rank: int, count: int, plan: Plan, before: Callable[[], None] | None, place: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{place}/meeting", rank=rank, world_size=count)
    if before is not None:
        before()
    news, weights, error = News(), {}, ""
    training = None
    try:
        training = Training(session(plan, news, Lockstep(rank, count)))
        training.run()
        weights = {name: value.clone() for name, value in training._learner.model.state_dict().items()}
    except Exception:
        error = traceback.format_exc()
    news.must_stop = bool  # a lambda cannot be pickled
    torch.save(Outcome(weights, news, error), Path(place) / f"{rank}.pt")
    dist.destroy_process_group()
