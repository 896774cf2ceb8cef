"""Brings a checkpoint's state into what the recipe makes now, or says by field and name what does not fit it.

Torch's own messages name neither; and what it takes over half it may not refuse at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.train.recipe_changes import ANOTHER_FOLDER
from trainingrun_trainer.train.restored import Restored
from trainingrun_trainer.train.starting import WEIGHTS_ONLY

_SHOWN = 5
# Entries of a parameter group that torch and its schedulers add.
_NOT_THE_OPTIMIZERS = frozenset(
    {"params", "param_names", "initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum", "swa_lr"}
)


def load_model(model: torch.nn.Module, state: dict[str, Any], restored: Restored | None = None) -> None:
    """Load a model's weights. Raises InvalidConfiguration that names those that are missing or differ.

    `restored` is what they come from, if that may be another run's.
    """
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        expected = model.state_dict()
        differences = [
            *_named("lacks", expected.keys() - state.keys()),
            *_named("has also", state.keys() - expected.keys()),
            *_named(
                "has other shapes:",
                (
                    f"{name} {_shape(state[name])} instead of {_shape(expected[name])}"
                    for name in expected.keys() & state.keys()
                    if _shape(state[name]) != _shape(expected[name])
                ),
            ),
        ]
        found = "; ".join(differences) or error
        if restored is not None and not restored.is_own:
            raise InvalidConfiguration(
                f"{restored.field}: the weights in {restored.name} do not fit the model that spec.recipe.model makes; "
                f"the file {found}. Allowed: weights of that model"
            ) from error
        raise InvalidConfiguration(
            "spec.recipe.model: the checkpoint's weights do not fit the model that this makes; the checkpoint "
            f"{found}. Allowed: the model that was trained; {ANOTHER_FOLDER}"
        ) from error


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any], restored: Restored | None = None) -> None:
    """Load an optimizer's state. Raises InvalidConfiguration where it is another kind's or of other groups."""
    ours, theirs = optimizer.state_dict()["param_groups"], state["param_groups"]
    found = ""
    if [len(group["params"]) for group in ours] != [len(group["params"]) for group in theirs]:
        sizes = [", ".join(str(len(group["params"])) for group in groups) for groups in (theirs, ours)]
        found = f"groups of {sizes[0]} parameters in the checkpoint, and of {sizes[1]} now"
    else:
        known, theirs_also = set(optimizer.defaults), set(theirs[0]) - _NOT_THE_OPTIMIZERS
        # Either alone is what another version of torch may do; both together are another optimizer.
        if known - theirs_also and theirs_also - known:
            found = f"state with {', '.join(sorted(theirs_also - known))} in the checkpoint, of another optimizer"
    if found:
        way_out = ANOTHER_FOLDER if restored is None or restored.is_own else WEIGHTS_ONLY
        raise InvalidConfiguration(
            f"spec.recipe.optimizer: found {found}; allowed: the optimizer that was trained with; {way_out}"
        )
    optimizer.load_state_dict(state)


def load_scaler(scaler: Any, state: dict[str, Any]) -> None:
    """Load a gradient scaler's state, unless that was of a training that needed none."""
    if state:
        scaler.load_state_dict(state)


def _named(what: str, names: Iterable[str]) -> list[str]:
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return [f"{what} {', '.join(ordered[:_SHOWN])}{more}"] if ordered else []


def _shape(value: Any) -> Any:
    return list(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
