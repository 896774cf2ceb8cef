"""The model of this example."""

from __future__ import annotations

import torch
from torch import nn


class TwoInputs(nn.Module):
    """A picture (rows, 1, 12, 12) and readings (rows, 3) to scores (rows, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(100, 8))
        self.decide = nn.Sequential(nn.Linear(11, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, picture: torch.Tensor, readings: torch.Tensor) -> torch.Tensor:
        """Scores of the two classes."""
        scores: torch.Tensor = self.decide(torch.cat([self.see(picture), readings], dim=1))
        return scores
