"""Steps a recipe's learning-rate scheduler when it is due, with what it wants to know.

`ReduceLROnPlateau`, and any other whose `step` has a parameter `metrics`, gets a loss: of the step's rows, or after an
epoch the validation loss, else the epoch's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch

from trainingrun.spec.recipe import Recipe
from trainingrun.spec.storage import VALIDATION_PREFIX
from trainingrun_trainer.train import recipe_objects


class Schedule:
    """The scheduler of a recipe, or none: then nothing happens."""

    def __init__(self, recipe: Recipe, optimizer: torch.optim.Optimizer):
        self._scheduler = recipe_objects.build_scheduler(recipe, optimizer)
        self._interval = recipe.scheduler.interval if recipe.scheduler is not None else None
        self._wants_loss = self._scheduler is not None and wants_loss(self._scheduler)

    def after_step(self, loss: Callable[[], float]) -> None:
        """The optimizer has moved. `loss` must be collective if it is expensive; it is called only where wanted."""
        if self._interval == "Step":
            self._step(loss)

    def after_epoch(self, metrics: dict[str, float]) -> None:
        """An epoch has ended with these metrics."""
        if self._interval == "Epoch":
            self._step(lambda: metrics.get(f"{VALIDATION_PREFIX}loss", metrics.get("loss", float("nan"))))

    def state_dict(self) -> dict[str, Any] | None:
        """For a checkpoint; None where there is no scheduler."""
        return self._scheduler.state_dict() if self._scheduler is not None else None

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Go on from a checkpoint's state, which has none where the recipe had no scheduler."""
        if self._scheduler is not None and state is not None:
            self._scheduler.load_state_dict(state)

    def _step(self, loss: Callable[[], float]) -> None:
        if self._wants_loss:
            self._scheduler.step(loss())
        else:
            self._scheduler.step()


def wants_loss(scheduler: Any) -> bool:
    """Whether the scheduler's `step` must be given a value to look at."""
    return "metrics" in inspect.signature(scheduler.step).parameters
