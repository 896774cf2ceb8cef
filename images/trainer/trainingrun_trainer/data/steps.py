"""A recipe's steps of preprocessing, each where it runs: in order on the data group, then in order on the trainer.

Finds and checks the functions, and calls none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingrun_trainer.data.step import FIELD, Step
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.transform_marks import runs_on_trainer

if TYPE_CHECKING:
    from trainingrun.spec.recipe import Recipe
    from trainingrun.spec.transforms import Transform

# Of these it is known that they look at no column but inputs.
_OWN_FUNCTIONS = "trainingrun_trainer.vision:"


def data_steps(recipe: Recipe) -> tuple[Step, ...]:
    """The steps on the data group. Raises InvalidConfiguration as `all_steps` does."""
    return tuple(step for step in all_steps(recipe) if not step.is_on_trainer)


def trainer_steps(recipe: Recipe) -> tuple[Step, ...]:
    """The steps on the trainer. Raises InvalidConfiguration as `all_steps` does."""
    return tuple(step for step in all_steps(recipe) if step.is_on_trainer)


def all_steps(recipe: Recipe) -> tuple[Step, ...]:
    """Every step. Raises InvalidConfiguration where a function is not there, or its place contradicts others."""
    steps: list[Step] = []
    for path, named in recipe.steps.items():
        step = Step.of(path, named, recipe.dataset.inputs, is_on_trainer=named.run_on == "Trainer")
        if named.run_on is None and runs_on_trainer(step.hook.function):
            _check_marked(path, named)
            step = Step.of(path, named, recipe.dataset.inputs, is_on_trainer=True)
        if steps and steps[-1].is_on_trainer and not step.is_on_trainer:
            raise InvalidConfiguration(
                f"{FIELD}{path}.runOn: {named.function} runs on the data group, but {steps[-1].path} before it on the "
                "trainer; allowed: steps on the data group first, or runOn: Trainer"
            )
        steps.append(step)
    return tuple(steps)


def looks_at_inputs_only(step: Step) -> bool:
    """Whether a step is known to use no column that does not go into the model, and to make none."""
    return step.function.startswith(_OWN_FUNCTIONS)


def _check_marked(path: str, named: Transform) -> None:
    if named.kind == "Row":
        raise InvalidConfiguration(
            f'{FIELD}{path}.kind: found Row, but "{named.function}" runs on the trainer; allowed: Batch'
        )
    for name in ("batch_size", "batch_format", "concurrency", "resources"):
        if getattr(named, name) is not None:
            field = type(named).model_fields[name].alias
            raise InvalidConfiguration(
                f"{FIELD}{path}.{field}: {named.function} is marked to run on the trainer, where whole batches have no "
                f"{field}; allowed: none, or runOn: Data"
            )
