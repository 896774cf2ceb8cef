"""How a batch becomes a loss and metrics, by the functions that a recipe names.

Knows nothing of ranks, optimizers, precision or where batches come from. What it returns are means over the batch's
rows.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from trainingrun.spec.recipe import MetricFunction, Recipe
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.hooks import SIGNATURES, Hook, hook_of
from trainingrun_trainer.train.outputs_function import OutputsFunction
from trainingrun_trainer.train.target_form import Decisions, TargetForm

LOSS = "loss"
_MODEL = "spec.recipe.model"
_AS_IT_IS = TargetForm()
_ACCURACY = MetricFunction(function="trainingrun_trainer.vision:accuracy")


class Computation:
    """See the module. `decisions` are those of the dry run; until then, targets stay as they are.

    `calling` is the field of the hook that was called last, for who tells of what it raises.
    """

    def __init__(self, recipe: Recipe, device: torch.device):
        """Load what the recipe names; a loss that is a module is moved to `device`. Raises InvalidConfiguration."""
        self.recipe = recipe
        self.device = device
        self.decisions = Decisions()
        self.calling = _MODEL
        self.train_step = (
            hook_of("spec.recipe.trainStep", recipe.train_step, "trainStep") if recipe.train_step else None
        )
        self.eval_step = hook_of("spec.recipe.evalStep", recipe.eval_step, "evalStep") if recipe.eval_step else None
        self.functions: dict[str, OutputsFunction] = {}
        if self.train_step is None:  # which makes a loss by itself
            self.functions[LOSS] = OutputsFunction(hook_of("spec.recipe.loss", recipe.loss, "loss"), device)
            for path, metric in (recipe.measured or {}).items():
                hook = hook_of(f"spec.recipe.{path}", metric, "metrics")
                self.functions[metric.resolved_name] = OutputsFunction(hook, device)
        self.may_default = recipe.measured is None and self.train_step is None

    def decide(self, decisions: Decisions) -> None:
        """Follow what the dry run has found, from now on."""
        self.decisions = decisions
        if decisions.has_accuracy:
            hook = hook_of("spec.recipe.metrics", _ACCURACY, "metrics")
            self.functions[_ACCURACY.resolved_name] = OutputsFunction(hook, self.device)

    def loss_parameters(self) -> list[torch.nn.Parameter]:
        """Parameters of a loss that is a module; they are trained and saved with the model."""
        module = self._loss_module()
        return list(module.parameters()) if module is not None else []

    def state_dict(self) -> dict[str, Any]:
        """The loss module's state; empty where the loss has none."""
        module = self._loss_module()
        return dict(module.state_dict()) if module is not None else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with a loss module's state; an empty one changes nothing."""
        module = self._loss_module()
        if module is not None and state:
            module.load_state_dict(state)

    def outputs(self, model: torch.nn.Module, batch: Mapping[str, Any]) -> Any:
        """The model's outputs: inputs go by name where its forward has parameters of their names, else by position."""
        columns = self.recipe.dataset.inputs
        values = [self._column(batch, name, "inputColumns") for name in columns]
        self.calling = _MODEL
        if goes_by_name(model, columns):
            return model(**dict(zip(columns, values, strict=True)))
        return model(*values)

    def targets(self, batch: Mapping[str, Any]) -> Any:
        """One target as it is in the batch, several as a dict by name."""
        columns = self.recipe.dataset.targets
        values = {name: self._column(batch, name, "targetColumns") for name in columns}
        return values[columns[0]] if len(columns) == 1 else values

    def training(self, model: torch.nn.Module, batch: Mapping[str, Any], session: Any) -> dict[str, torch.Tensor]:
        """`loss`, which has a gradient, and metrics, which have none. Raises InvalidConfiguration."""
        if self.train_step is not None:
            self.calling = self.train_step.path
            means = self._returned(self.train_step, self.train_step.call(model, batch, session))
            return {name: value if name == LOSS else value.detach() for name, value in means.items()}
        means = self.measured(self.outputs(model, batch), self.targets(batch))
        self.calling = self.functions[LOSS].hook.path  # whose backward pass comes next
        return means

    def evaluation(self, model: torch.nn.Module, batch: Mapping[str, Any], session: Any) -> dict[str, torch.Tensor]:
        """Means over the rows of a batch of validation data. The caller switches gradients off."""
        step = self.eval_step or self.train_step
        if step is not None:
            self.calling = step.path
            return self._returned(step, step.call(model, batch, session))
        return self.measured(self.outputs(model, batch), self.targets(batch))

    def measured(self, outputs: Any, targets: Any) -> dict[str, torch.Tensor]:
        """The loss and the metrics of outputs and targets."""
        return {name: self.measure(name, outputs, targets) for name in self.functions}

    def measure(self, name: str, outputs: Any, targets: Any) -> torch.Tensor:
        """What one function, by its metric's name or `loss`, makes of outputs and targets."""
        function = self.functions[name]
        self.calling = function.hook.path
        targets = self.decisions.forms.get(name, _AS_IT_IS).of(outputs, targets)
        with torch.set_grad_enabled(torch.is_grad_enabled() and name == LOSS):
            return self._scalar(function.hook, name, function(outputs, targets))

    def _loss_module(self) -> torch.nn.Module | None:
        loss = self.functions.get(LOSS)
        return loss.module if loss is not None else None

    def _column(self, batch: Mapping[str, Any], name: str, field: str) -> Any:
        if name not in batch:
            raise InvalidConfiguration(
                f'spec.recipe.dataset.{field}: the batch has no "{name}"; it has {", ".join(map(str, batch))}'
            )
        return batch[name]

    def _returned(self, hook: Hook, returned: Any) -> dict[str, torch.Tensor]:
        values = dict(returned) if isinstance(returned, Mapping) else {LOSS: returned}
        if LOSS not in values and hook.kind == "trainStep":
            raise InvalidConfiguration(
                f'{hook.path}.function: "{hook.reference}" returned a dict with '
                f'{", ".join(map(str, values)) or "nothing"}, but no "{LOSS}"; expected {SIGNATURES[hook.kind]}'
            )
        return {name: self._scalar(hook, name, value) for name, value in values.items()}

    def _scalar(self, hook: Hook, name: str, value: Any) -> torch.Tensor:
        """A hook's value as a tensor without dimensions. Raises InvalidConfiguration for anything else."""
        if isinstance(value, int | float) and not isinstance(value, bool) and (name, hook.kind) != (LOSS, "trainStep"):
            value = torch.tensor(float(value), device=self.device)
        if isinstance(value, torch.Tensor) and value.numel() == 1 and value.dtype != torch.bool:
            return value.reshape(())
        if isinstance(value, torch.Tensor):
            found = f"a {str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
        else:
            found = type(value).__name__
        raise InvalidConfiguration(
            f'{hook.path}.function: "{hook.reference}" returned {found} as {name}; allowed: one number as a tensor, '
            f"the mean over the rows; expected {SIGNATURES[hook.kind]}"
        )


def goes_by_name(model: torch.nn.Module, columns: tuple[str, ...]) -> bool:
    """Whether inputs are given by name. Raises InvalidConfiguration where neither way can be meant."""
    inner: Any = model
    while isinstance(inner, torch.nn.parallel.DistributedDataParallel) or hasattr(inner, "_orig_mod"):
        inner = inner.module if isinstance(inner, torch.nn.parallel.DistributedDataParallel) else inner._orig_mod
    parameters = inspect.signature(inner.forward).parameters.values()
    if not columns or all(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return bool(columns)
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if all(name in named for name in columns):
        places = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        return places[: len(columns)] != list(columns)  # in their order both mean the same, and torch's hooks see them
    for place, name in enumerate(columns):
        if name in named and named.index(name) != place:
            raise InvalidConfiguration(
                f"spec.recipe.dataset.inputColumns: found {', '.join(columns)}, but forward of "
                f"{type(inner).__name__} has ({', '.join(named)}), where {name} is in another place; allowed: names "
                "that are all parameters of forward, or the order of its parameters"
            )
    return False
