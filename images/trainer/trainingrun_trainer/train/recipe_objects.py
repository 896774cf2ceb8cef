"""Makes the model, optimizer and scheduler that a recipe names.

Only construction: nothing here steps, moves data or knows about ranks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.steps import trainer_steps
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.hooks import SIGNATURES, Hook, hook_of
from trainingrun_trainer.train import list_parameters
from trainingrun_trainer.train.computation import Computation

Made = TypeVar("Made")


@dataclass
class RecipeObjects:
    """What a recipe makes, for the dry run. `model` is the bare one, without DDP or compilation."""

    recipe: Recipe
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: Any
    computation: Computation

    def parameters(self) -> list[torch.nn.Parameter]:
        """The model's and the loss's."""
        return [*self.model.parameters(), *self.computation.loss_parameters()]

    def held(self) -> set[int]:
        """The identities of the parameters that the optimizer holds."""
        return {id(parameter) for group in self.optimizer.param_groups for parameter in group["params"]}


def build_model(recipe: Recipe) -> torch.nn.Module:
    """The model, on the CPU."""
    hook = hook_of("spec.recipe.model", recipe.model, "model")
    return _required(hook, list_parameters.make(hook)[0], torch.nn.Module)


def build_optimizer(
    recipe: Recipe, model: torch.nn.Module, others: Sequence[torch.nn.Parameter] = ()
) -> torch.optim.Optimizer:
    """The optimizer of the model's parameters, and of `others`: those of a loss.

    A function whose first argument is called `model` gets the model, any other gets the parameters.
    """
    hook = hook_of("spec.recipe.optimizer", recipe.optimizer, "optimizer")
    if next(iter(inspect.signature(hook.function).parameters), "") == "model":
        made = _required(hook, list_parameters.make(hook, model)[0], torch.optim.Optimizer)
        if others:
            made.add_param_group({"params": list(others)})
        return made
    return _required(hook, list_parameters.make(hook, [*model.parameters(), *others])[0], torch.optim.Optimizer)


def build_scheduler(recipe: Recipe, optimizer: torch.optim.Optimizer) -> Any:
    """The learning-rate scheduler, or None."""
    if recipe.scheduler is None:
        return None
    return list_parameters.make(hook_of("spec.recipe.scheduler", recipe.scheduler, "scheduler"), optimizer)[0]


def step_scheduler(scheduler: Any, metrics: dict[str, float]) -> None:
    """One step of a scheduler. One that follows a metric gets the validation loss, or the loss where there is none."""
    if takes_metric(scheduler):
        scheduler.step(metrics.get("validation_loss", metrics.get("loss")))
    else:
        scheduler.step()


def takes_metric(scheduler: Any) -> bool:
    """Whether the scheduler's step must be given a metric, as that of ReduceLROnPlateau."""
    parameters = inspect.signature(scheduler.step).parameters.values()
    return any(p.name == "metrics" and p.default is p.empty for p in parameters)


def trainer_transform(recipe: Recipe, *, training: bool) -> Callable[[Any], Any]:
    """The recipe's steps of preprocessing on the trainer, one after the other, as a function of a batch."""
    steps = trainer_steps(recipe)
    for step in steps:
        step.callable()

    def transform(batch: Any) -> Any:
        for step in steps:
            batch = step.batch(batch, training=training)
        return batch

    return transform


def _required(hook: Hook, made: Any, wanted: type[Made]) -> Made:
    if not isinstance(made, wanted):
        raise InvalidConfiguration(
            f'{hook.path}.function: "{hook.reference}" returned {type(made).__name__}, expected {SIGNATURES[hook.kind]}'
        )
    return made
