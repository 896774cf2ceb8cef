"""The loop that the GPU's runs train with: the built-in one, with a cached batch after each epoch and a look inside."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import torch

from trainingrun_trainer.train.loop import Training
from trainingrun_trainer.train.step import Step

# What makes the CPU wait for the GPU, as the profiler calls it.
_SYNCHRONISING = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "aten::item", "aten::_local_scalar_dense")
# Steps of the second epoch that are profiled: by then everything is warm.
_FIRST, _LAST = 5, 15


class _Watched(Training):
    """Keeps the last step, and profiles some."""

    last: Step
    steps = 0
    profiler: Any = None

    def step(self, step: Step) -> bool:
        self.last = dataclasses.replace(step, batch=dict(step.batch or {}))
        self.steps += 1
        if self.steps == _FIRST:
            self.profiler = torch.profiler.profile()
            self.profiler.start()
        if self.steps == _LAST and self.profiler is not None:
            self.profiler.stop()
        return super().step(step)


def watched(session: Any, log: str, cached_steps: int) -> None:
    """The built-in loop, with `cached_steps` of one batch, always the same, after each epoch."""
    training = _Watched(session)
    training.restore()
    while session.position.epoch < session.recipe.epochs:
        training.steps = 0 if session.position.epoch == 1 else _LAST
        if not training.epoch():
            return
        cached = training.last
        began = time.monotonic()
        for _ in range(cached_steps):
            training.step(dataclasses.replace(cached, batch=dict(cached.batch or {})))
        if session.device.type == "cuda":
            torch.cuda.synchronize()
        rate = cached_steps * cached.rows / (time.monotonic() - began)
        with Path(log).open("a") as file:
            file.write(json.dumps({"epoch": session.position.epoch, "cachedRowsPerSecond": rate}) + "\n")
    with Path(log).open("a") as file:
        file.write(json.dumps({"synchronisationsPerStep": _synchronisations(training.profiler)}) + "\n")


def labelled(batch: dict[str, Any]) -> dict[str, Any]:
    """A label for each row, so that there is something to learn."""
    return {**batch, "label": batch["number"] % 10}


def _synchronisations(profiler: Any) -> float:
    counts = {event.key: event.count for event in profiler.key_averages()}
    return sum(counts.get(name, 0) for name in _SYNCHRONISING) / (_LAST - _FIRST)
