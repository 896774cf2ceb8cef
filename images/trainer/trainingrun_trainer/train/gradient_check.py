"""What the dry run's backward pass and step tell: which parameters learn, whether the optimizer holds them, and how far
it moves them.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.train.recipe_objects import RecipeObjects

_SHOWN = 5
# A step that makes the weights so many times as large leaves nothing of how they were made.
_GROWTH = 10


def check_optimizer(tried: RecipeObjects) -> list[str]:
    """Sentences about parameters that the optimizer lacks. Raises InvalidConfiguration if it holds none."""
    held = tried.held()
    named = dict(tried.model.named_parameters())
    own = {id(p) for p in tried.parameters()}
    if not named:
        return []
    if not held & own:
        raise InvalidConfiguration(
            f'spec.recipe.optimizer.function: "{tried.recipe.optimizer.function}" returned an optimizer of '
            f"{len(held)} parameters, none of which is the model's; allowed: parameters of the model that it is given"
        )
    said = []
    if foreign := len(held - own):
        said.append(f"spec.recipe.optimizer: {foreign} of its {len(held)} parameters are not the model's")
    absent = [name for name, p in named.items() if p.requires_grad and id(p) not in held]
    if absent:
        said.append(f"spec.recipe.optimizer: does not hold {_listed(absent)}, so these stay as they are")
    return said


def check_attached(loss: torch.Tensor, tried: RecipeObjects, field: str) -> None:
    """Refuse a loss that has no gradient. Raises InvalidConfiguration."""
    if loss.requires_grad:
        return
    if not any(p.requires_grad for p in tried.parameters()):
        raise InvalidConfiguration(
            "spec.recipe.model: every parameter is frozen (requires_grad is False) or there is none; "
            "allowed: at least one that is trained"
        )
    raise InvalidConfiguration(
        f"{field}: the loss has no gradient: the model's outputs are cut off from it, as by detach(), item(), "
        "argmax(), numpy() or torch.no_grad(); allowed: a loss computed from outputs that have one"
    )


def check(tried: RecipeObjects, field: str) -> tuple[tuple[str, ...], list[str]]:
    """After backward: the names of parameters without a gradient, and sentences about gradients that teach nothing.

    Raises InvalidConfiguration if no parameter that the optimizer holds has one.
    """
    held = tried.held()
    named = {name: p for name, p in tried.model.named_parameters() if p.requires_grad}
    unused = tuple(name for name, p in named.items() if p.grad is None)
    trained = [
        p for p in (*named.values(), *tried.computation.loss_parameters()) if id(p) in held and p.grad is not None
    ]
    if not trained:
        raise InvalidConfiguration(
            f"{field}: no parameter that the optimizer holds gets a gradient from the loss, so nothing would be "
            f"trained; allowed: at least one. Without a gradient: {_listed(unused) or 'none of the model'}"
        )
    said = [f"the loss does not depend on {_listed(unused)}: these parameters are not trained"] if unused else []
    if not any(bool(_values(p).any()) for p in trained):
        said.append(f"{field}: every gradient of the first batch is zero: does the loss depend on the outputs?")
    wrong = [name for name, p in named.items() if p.grad is not None and not bool(torch.isfinite(_values(p)).all())]
    if wrong:
        said.append(f"{field}: the gradient of the first batch is NaN or infinite in {_listed(wrong)}")
    return unused, said


def weights_norm(tried: RecipeObjects) -> float:
    """The norm of all weights that may be trained."""
    weights = [p.detach() for p in tried.parameters() if p.requires_grad and p.is_floating_point()]
    return float(torch.nn.utils.get_total_norm(weights))


def check_step(before: float, tried: RecipeObjects) -> list[str]:
    """After the optimizer's first step: a sentence where it has made weights of norm `before` another order of size."""
    after = weights_norm(tried)
    if not 0 < before * _GROWTH < after:
        return []
    rate = max(float(group["lr"]) for group in tried.optimizer.param_groups)
    return [
        f"spec.recipe.optimizer: the first step makes the weights {after / before:,.0f} times as large as they were: "
        f"is the learning rate of {rate:g} meant?"
    ]


def _values(parameter: torch.nn.Parameter) -> torch.Tensor:
    """The gradient's values; of an embedding's sparse gradient, those of the rows that have one."""
    grad = parameter.grad
    if grad is None:
        return torch.zeros(0)
    return grad.coalesce().values() if grad.is_sparse else grad


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
