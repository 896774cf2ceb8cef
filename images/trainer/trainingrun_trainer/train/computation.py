"""How a batch becomes a loss and metrics: the recipe's loss, metrics, trainStep and evalStep.

Knows nothing of ranks, optimizers or where batches come from.
"""

from __future__ import annotations

from typing import Any

import torch

from trainingrun.spec.recipe import Function, Recipe
from trainingrun_trainer import hooks
from trainingrun_trainer.train import recipe_objects


class Computation:
    """What a recipe computes. Raises InvalidConfiguration where a hook cannot be loaded."""

    def __init__(self, recipe: Recipe, device: torch.device):
        self._recipe = recipe
        loss = recipe_objects.build_loss(recipe)
        self._loss = loss.to(device) if isinstance(loss, torch.nn.Module) else loss
        self._metrics = recipe_objects.build_metrics(recipe)
        self._train_step = _step_hook("trainStep", recipe.train_step)
        self._eval_step = _step_hook("evalStep", recipe.eval_step)

    def decide(self, decisions: Any) -> None:
        """Follow what the dry run has found, from now on."""

    def loss_parameters(self) -> list[torch.nn.Parameter]:
        """Parameters of a loss that is a module."""
        return list(self._loss.parameters()) if isinstance(self._loss, torch.nn.Module) else []

    def state_dict(self) -> dict[str, Any]:
        """The loss module's state; empty where it has none."""
        return self._loss.state_dict() if isinstance(self._loss, torch.nn.Module) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        if isinstance(self._loss, torch.nn.Module):
            self._loss.load_state_dict(state)

    def outputs(self, model: Any, batch: dict[str, torch.Tensor]) -> Any:
        """What the model makes of a batch."""
        return model(*(batch[name] for name in self._recipe.dataset.inputs))

    def training(self, model: Any, batch: dict[str, torch.Tensor], session: Any) -> dict[str, torch.Tensor]:
        """Means over the batch's rows: `loss`, with a gradient, and metrics."""
        if self._train_step is not None:
            return _named(self._train_step(model, batch, session))
        return self._measured(model, batch)

    def evaluation(self, model: Any, batch: dict[str, torch.Tensor], session: Any) -> dict[str, torch.Tensor]:
        """The same of a batch of the validation data."""
        step = self._eval_step or self._train_step
        return _named(step(model, batch, session)) if step is not None else self._measured(model, batch)

    def _measured(self, model: Any, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        outputs = self.outputs(model, batch)
        targets = batch[self._recipe.dataset.targets[0]]
        metrics = {name: metric(outputs, targets).detach() for name, metric in self._metrics.items()}
        return {"loss": self._loss(outputs, targets), **metrics}


def _named(result: Any) -> dict[str, torch.Tensor]:
    return result if isinstance(result, dict) else {"loss": result}


def _step_hook(name: str, hook: Function | None) -> Any:
    if hook is None:
        return None
    function = hooks.load(f"spec.recipe.{name}.function", hook.function, "trainStep")
    parameters = dict(hook.parameters)
    hooks.check_parameters(f"spec.recipe.{name}.parameters", function, 3, parameters)
    return lambda model, batch, session: function(model, batch, session, **parameters)
