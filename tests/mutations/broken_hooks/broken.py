"""Hooks with the mistakes that people make, each around the example's own hook.

`function` and `parameters` name the hook that is broken, as the example's run does.
"""

from __future__ import annotations

import copy
import importlib
from typing import Any

import torch
from torch import nn


def _made(function: str, parameters: dict[str, Any]) -> Any:
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)(**parameters)


class _Around(nn.Module):
    def __init__(self, function: str, parameters: dict[str, Any]):
        super().__init__()
        self.inner = _made(function, parameters)

    def forward(self, *inputs: Any) -> Any:
        return self.changed(self.inner(*inputs))

    def changed(self, outputs: Any) -> Any:
        return outputs


def _around(name: str, change: Any) -> type[_Around]:
    return type(name, (_Around,), {"changed": lambda self, outputs: change(outputs)})


WithExtraDimension = _around("WithExtraDimension", lambda outputs: outputs.unsqueeze(1))
ClassesLast = _around("ClassesLast", lambda outputs: outputs.transpose(1, 2))
SoftmaxToo = _around("SoftmaxToo", lambda outputs: outputs.softmax(dim=1))
InADict = _around("InADict", lambda outputs: {"logits": outputs})
Detached = _around("Detached", lambda outputs: outputs.detach())


class FailsInValidation(_Around):
    def changed(self, outputs: Any) -> Any:
        if not self.training:
            raise ValueError("there is no ensemble to average in validation")
        return outputs


class OneInput(nn.Module):
    """forward takes fewer inputs than the run names."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.layer(x.float().flatten(1))
        return scores


def frozen(function: str, parameters: dict[str, Any]) -> nn.Module:
    model: nn.Module = _made(function, parameters)
    return model.requires_grad_(False)


def of_another_model(model: nn.Module, lr: float = 0.01) -> torch.optim.Optimizer:
    return torch.optim.Adam(copy.deepcopy(model).parameters(), lr=lr)


def detached_step(model: nn.Module, batch: dict[str, torch.Tensor], session: Any) -> torch.Tensor:
    with torch.no_grad():
        return _any_loss(model, batch, session)


def item_step(model: nn.Module, batch: dict[str, torch.Tensor], session: Any) -> Any:
    return _any_loss(model, batch, session).item()


def forgetful_step(model: nn.Module, batch: dict[str, torch.Tensor], session: Any) -> None:
    _any_loss(model, batch, session)


def _any_loss(model: nn.Module, batch: dict[str, torch.Tensor], session: Any) -> torch.Tensor:
    outputs = model(*[batch[name] for name in session.recipe.dataset.inputs])
    outputs = outputs if isinstance(outputs, torch.Tensor) else torch.cat(outputs)
    loss: torch.Tensor = outputs.square().mean()
    return loss


def by_row(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """A metric that forgot the mean."""
    return torch.ones(len(outputs))


def not_normalised(batch: dict[str, Any]) -> dict[str, Any]:
    """Pixels as they are, 0 to 255, as floating point."""
    return {
        name: values.astype("float32")[:, None] if values.dtype == "uint8" and name in ("image", "picture") else values
        for name, values in batch.items()
    }


def forgets(batch: dict[str, Any], *, column: str) -> dict[str, Any]:
    """A transform that returns everything but one column."""
    return {name: values for name, values in batch.items() if name != column}


def cut_short(table: Any, *, function: str) -> dict[str, torch.Tensor]:
    """A collate hook whose target has a row less than its input."""
    module, _, name = function.partition(":")
    batch = getattr(importlib.import_module(module), name)(table)
    return {name: values[:-1] if name == "grid" else values for name, values in batch.items()}
