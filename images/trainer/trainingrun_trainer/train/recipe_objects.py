"""Makes the model, optimizer, scheduler, loss and metric that a recipe names.

Only construction: nothing here steps, moves data or knows about ranks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from trainingrun.spec.recipe import Function, MetricFunction, Recipe
from trainingrun_trainer import hooks
from trainingrun_trainer.failures.errors import InvalidConfiguration

_FIELD = "spec.recipe"
Made = TypeVar("Made")


def build_model(recipe: Recipe) -> torch.nn.Module:
    """The model, on the CPU."""
    return _require("model", recipe.model, _call("model", recipe.model), torch.nn.Module)


def build_optimizer(recipe: Recipe, model: torch.nn.Module) -> torch.optim.Optimizer:
    """The optimizer. A function whose first argument is called `model` gets the model, others its parameters."""
    function = hooks.load(f"{_FIELD}.optimizer.function", recipe.optimizer.function, "optimizer")
    first = next(iter(inspect.signature(function).parameters), "")
    argument: Any = model if first == "model" else model.parameters()
    return _require(
        "optimizer", recipe.optimizer, _call("optimizer", recipe.optimizer, argument), torch.optim.Optimizer
    )


def build_scheduler(recipe: Recipe, optimizer: torch.optim.Optimizer) -> Any:
    """The learning-rate scheduler, or None."""
    return _call("scheduler", recipe.scheduler, optimizer) if recipe.scheduler else None


def build_loss(recipe: Recipe) -> Callable[[Any, Any], torch.Tensor]:
    """The loss as a function of (outputs, targets): a class is made into an object, a function is used as it is."""
    function = hooks.load(f"{_FIELD}.loss.function", recipe.loss.function, "loss")
    if inspect.isclass(function):
        return _call("loss", recipe.loss)  # type: ignore[no-any-return]
    parameters = dict(recipe.loss.parameters)
    hooks.check_parameters(f"{_FIELD}.loss.parameters", function, 2, parameters)
    return lambda outputs, targets: function(outputs, targets, **parameters)


def build_metric(recipe: Recipe) -> tuple[str, Callable[[Any, Any], torch.Tensor]]:
    """The metric's name (its function's) and the metric as a function of (outputs, targets)."""
    metric = recipe.metrics[0] if recipe.metrics else MetricFunction(function="trainingrun_trainer.vision:accuracy")
    function = hooks.load(f"{_FIELD}.metrics[0].function", metric.function, "metric")
    parameters = dict(metric.parameters)
    hooks.check_parameters(f"{_FIELD}.metrics[0].parameters", function, 2, parameters)
    return metric.resolved_name, lambda outputs, targets: function(outputs, targets, **parameters)


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
