"""Functions that the runs of `offline` name in their recipes. Other processes import this module by its name."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Plain(nn.Module):
    """Two layers, of which the first keeps the shape of its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.last = nn.Linear(8, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.first(image)))


class UnusedHead(Plain):
    """With a part that the loss does not depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 2)


class SeveralOutputs(Plain):
    """Returns a dict of tensors, of which one has no gradient to give."""

    def forward(self, image: torch.Tensor) -> Any:
        inner = torch.tanh(self.first(image))
        return {"scores": self.last(inner), "inner": inner.detach()}


class Wrapped(nn.Module):
    """A model with an attribute called `module`, as DDP has one."""

    def __init__(self) -> None:
        super().__init__()
        self.module = nn.Linear(4, 8)
        self.last = nn.Linear(8, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.module(image)))


class Normalised(nn.Module):
    """With batch norm over rows, or over the values that rows have per channel."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        self.last = nn.Linear(4, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.norm.num_features == 1:
            image = self.norm(image.unsqueeze(1)).squeeze(1)
        else:
            image = self.norm(image)
        return self.last(image)


def sparse_model() -> nn.Module:
    return nn.Sequential(Rounded(), nn.EmbeddingBag(16, 3, sparse=True, mode="mean"))


class Rounded(nn.Module):
    """Numbers of a row as ids below 16."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return (image * 3).abs().long() % 16


class Margin(nn.Module):
    """A loss with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs * self.scale, targets)


def first_of_several(outputs: dict[str, torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(outputs["scores"], targets)


def step(model: nn.Module, batch: dict[str, torch.Tensor], session: Any) -> dict[str, torch.Tensor]:
    """Needs the author's own model: a wrapper has no `first`."""
    outputs = model.last(torch.tanh(model.first(batch["image"])))
    return {"loss": nn.functional.cross_entropy(outputs, batch["label"]), "spread": outputs.detach().var()}


def mean_output(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return outputs.float().mean()


def fraction(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs.argmax(1) == targets).float().mean()


def broken(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    if not outputs.requires_grad and not torch.is_grad_enabled():
        raise ValueError("the metric's mistake")
    return outputs.mean()


def first_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return outputs.square().mean()
