"""The functions that the bench's runs name in their recipes. They run in the training worker.

Those with a parameter `log` append what they see to that file, a JSON line each, with the worker's process id.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainingrun_trainer.train.loop import Training
from trainingrun_trainer.train.step import Step


def network(log: str | None = None) -> nn.Module:
    """A small convolutional network for 28x28 images: about ten thousand rows per second on one core."""
    if log is not None:
        _note(log, event="Worker")
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 49, 10),
    )


def linear(log: str) -> nn.Module:
    """As little of a model as there can be, for 28x28 images."""
    _note(log, event="Worker")
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def noted_step(model: nn.Module, batch: dict[str, torch.Tensor], state: Any, log: str) -> torch.Tensor:
    """The usual step, which also notes when it began, when its forward pass was done, and with what loss."""
    began = time.time()
    loss = nn.functional.cross_entropy(model(batch["image"]), batch["label"])
    _note(log, event="Step", began=began, step=state.position.step, loss=loss.item())
    return loss


class _Remembering(Training):
    """Keeps the step that it was given last."""

    last: Step

    def step(self, step: Step) -> bool:
        self.last = dataclasses.replace(step, batch=dict(step.batch or {}))
        return super().step(step)


def alternate(session: Any, log: str, cached_steps: int) -> None:
    """The built-in loop, in which a number of steps with one batch, always the same, follows each epoch.

    They are taken by the same model, optimizer, transform and process; they have no data to wait for.
    """
    training = _Remembering(session)
    training.restore()
    while session.position.epoch < session.recipe.epochs:
        if not training.epoch():
            return
        cached = training.last
        assert cached.total_rows == session.recipe.global_batch_size, "the epoch's last batch is a short one"
        began = time.monotonic()
        for _ in range(cached_steps):
            training.step(dataclasses.replace(cached, batch=dict(cached.batch or {})))
        _note(log, event="Cached", rows=cached_steps * cached.rows, seconds=time.monotonic() - began)


def read_log(log: Path) -> list[dict[str, Any]]:
    """What was noted so far. The last line may still be on its way."""
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _note(log: str, **values: Any) -> None:
    with Path(log).open("a") as file:
        file.write(json.dumps({"time": time.time(), "pid": os.getpid(), **values}) + "\n")
