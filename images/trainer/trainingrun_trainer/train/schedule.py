"""Steps a recipe's learning-rate scheduler when it is due, with the loss where it wants to know that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.train import recipe_objects, step_failures


class Schedule:
    """The scheduler of a recipe, or none: then nothing happens."""

    def __init__(self, recipe: Recipe, optimizer: torch.optim.Optimizer):
        self.scheduler: Any = recipe_objects.build_scheduler(recipe, optimizer)
        self._recipe = recipe
        self._interval = recipe.scheduler.interval if recipe.scheduler is not None else None

    def doubts(self, steps_an_epoch: int | None) -> list[str]:
        """A sentence if the scheduler is made for fewer steps than the run takes, after which it raises."""
        made_for, epochs = getattr(self.scheduler, "total_steps", None), self._recipe.epochs
        steps = 1 if self._interval == "Epoch" else steps_an_epoch or 0
        if not isinstance(made_for, int) or steps * epochs <= made_for:
            return []
        each = "epoch" if self._interval == "Epoch" else "batch"
        return [
            f"spec.recipe.scheduler: it is made for {made_for} steps and fails after them, but at one step per {each} "
            f"the {epochs} epochs take {steps * epochs}"
        ]

    def after_step(self, loss: Callable[[], float]) -> None:
        """The optimizer has moved. `loss`, of the step's rows on all ranks, is collective and called only if wanted."""
        if self._interval == "Step":
            self._step({"loss": loss()} if recipe_objects.takes_metric(self.scheduler) else {})

    def after_epoch(self, metrics: dict[str, float]) -> None:
        """An epoch has ended with these metrics."""
        if self._interval == "Epoch":
            self._step(metrics)

    def state_dict(self) -> dict[str, Any] | None:
        """For a checkpoint; None where there is no scheduler."""
        return self.scheduler.state_dict() if self.scheduler is not None else None

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Go on from a checkpoint's state, which has none where the recipe had no scheduler."""
        if self.scheduler is not None and state is not None:
            self.scheduler.load_state_dict(state)

    def _step(self, metrics: dict[str, float]) -> None:
        try:
            recipe_objects.step_scheduler(self.scheduler, metrics)
        except Exception as error:
            step_failures.tell(error, "spec.recipe.scheduler", f"at a step of interval {self._interval}")
            raise
