"""The model and the step of this example."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class TwoTowers(nn.Module):
    """One network for each view; both give vectors of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 8))
        self.right = nn.Sequential(nn.Linear(14, 32), nn.ReLU(), nn.Linear(32, 8))

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors (rows, 8) of the left and the right view."""
        return nn.functional.normalize(self.left(left), dim=1), nn.functional.normalize(self.right(right), dim=1)


def step(
    model: nn.Module, batch: dict[str, torch.Tensor], session: Any, *, temperature: float
) -> dict[str, torch.Tensor]:
    """Each left view should be nearest to the right view of its own row; `matched` is how often it is."""
    left, right = model(batch["left"], batch["right"])
    scores = left @ right.T / temperature
    own = torch.arange(len(scores), device=scores.device)
    return {
        "loss": nn.functional.cross_entropy(scores, own),
        "matched": (scores.argmax(dim=1) == own).float().mean(),
    }
