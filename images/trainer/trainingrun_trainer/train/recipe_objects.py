"""Makes the model, optimizer, scheduler, loss and metric that a recipe names.

Only construction: nothing here steps, moves data or knows about ranks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from trainingrun.spec.recipe import Function, MetricFunction, Recipe
from trainingrun_trainer import hooks
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.transform_marks import runs_on_trainer

_FIELD = "spec.recipe"
Made = TypeVar("Made")


@dataclass
class RecipeObjects:
    """What a recipe makes, for the dry run. `model` is the bare one, without DDP or compilation."""

    recipe: Recipe
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: Any
    computation: Any


def build_model(recipe: Recipe) -> torch.nn.Module:
    """The model, on the CPU."""
    return _require("model", recipe.model, _call("model", recipe.model), torch.nn.Module)


def build_optimizer(
    recipe: Recipe, model: torch.nn.Module, loss_parameters: Sequence[torch.nn.Parameter] = ()
) -> torch.optim.Optimizer:
    """The optimizer of the model and of a loss that has parameters.

    A function whose first argument is called `model` gets the model, others the parameters.
    """
    function = hooks.load(f"{_FIELD}.optimizer.function", recipe.optimizer.function, "optimizer")
    first = next(iter(inspect.signature(function).parameters), "")
    argument: Any = model if first == "model" else [*model.parameters(), *loss_parameters]
    made = _call("optimizer", recipe.optimizer, argument)
    optimizer = _require("optimizer", recipe.optimizer, made, torch.optim.Optimizer)
    if first == "model" and loss_parameters:
        optimizer.add_param_group({"params": list(loss_parameters)})
    return optimizer


def build_scheduler(recipe: Recipe, optimizer: torch.optim.Optimizer) -> Any:
    """The learning-rate scheduler, or None."""
    return _call("scheduler", recipe.scheduler, optimizer) if recipe.scheduler else None


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
    """The recipe's transform if it runs on the trainer, otherwise one that changes nothing."""
    function = hooks.load("spec.recipe.transform.function", recipe.transform.function, "transform (Batch)")
    if not runs_on_trainer(function):
        return lambda batch: batch
    parameters = dict(recipe.transform.parameters)
    if hooks.accepts(function, "training"):
        parameters["training"] = training
    hooks.check_parameters("spec.recipe.transform.parameters", function, 1, parameters)
    return lambda batch: function(batch, **parameters)


def build_loss(recipe: Recipe) -> Callable[[Any, Any], torch.Tensor]:
    """The loss as a function of (outputs, targets): a class is made into an object, a function is used as it is."""
    function = hooks.load(f"{_FIELD}.loss.function", recipe.loss.function, "loss")
    if inspect.isclass(function):
        return _call("loss", recipe.loss)  # type: ignore[no-any-return]
    parameters = dict(recipe.loss.parameters)
    hooks.check_parameters(f"{_FIELD}.loss.parameters", function, 2, parameters)
    return lambda outputs, targets: function(outputs, targets, **parameters)


def build_metrics(recipe: Recipe) -> dict[str, Callable[[Any, Any], torch.Tensor]]:
    """The metrics, by name, as functions of (outputs, targets)."""
    default = (MetricFunction(function="trainingrun_trainer.vision:accuracy"),)
    return {
        metric.resolved_name: _metric(place, metric)
        for place, metric in enumerate(recipe.metrics if recipe.metrics is not None else default)
    }


def _metric(place: int, metric: MetricFunction) -> Callable[[Any, Any], torch.Tensor]:
    function = hooks.load(f"{_FIELD}.metrics[{place}].function", metric.function, "metric")
    parameters = dict(metric.parameters)
    hooks.check_parameters(f"{_FIELD}.metrics[{place}].parameters", function, 2, parameters)
    return lambda outputs, targets: function(outputs, targets, **parameters)


def _call(name: str, hook: Function, *arguments: Any) -> Any:
    function = hooks.load(f"{_FIELD}.{name}.function", hook.function, name)
    parameters = dict(hook.parameters)
    hooks.check_parameters(f"{_FIELD}.{name}.parameters", function, len(arguments), parameters)
    return function(*arguments, **parameters)


def _require(name: str, hook: Function, made: Any, wanted: type[Made]) -> Made:
    if not isinstance(made, wanted):
        raise InvalidConfiguration(
            f'{_FIELD}.{name}.function: "{hook.function}" returned {type(made).__name__}, '
            f"expected {hooks.SIGNATURES[name]}"
        )
    return made
