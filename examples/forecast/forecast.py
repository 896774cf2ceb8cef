"""The model of this example."""

from __future__ import annotations

import torch
from torch import nn


class Forecaster(nn.Module):
    """Windows (rows, 24, 1) to the next values (rows, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.GRU(1, 16, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        """The next values (rows, 4)."""
        states, _ = self.read(window)
        values: torch.Tensor = self.head(states[:, -1])
        return values
