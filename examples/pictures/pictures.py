"""The model of this example."""

from __future__ import annotations

import torch
from torch import nn


class SmallNet(nn.Module):
    """Pictures (rows, 1, 16, 16) to one score per class."""

    def __init__(self, classes: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8 * 7 * 7, classes),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Scores (rows, classes)."""
        scores: torch.Tensor = self.layers(image)
        return scores
