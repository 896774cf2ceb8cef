"""The model of this example."""

from __future__ import annotations

import torch
from torch import nn


class PriceModel(nn.Module):
    """One price per row, from columns that come by name."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(
        self, area: torch.Tensor, rooms: torch.Tensor, age: torch.Tensor, distance: torch.Tensor
    ) -> torch.Tensor:
        """Prices (rows,), as the targets are: (rows, 1) would be compared with each of them."""
        prices: torch.Tensor = self.layers(torch.stack([area, rooms, age, distance], dim=1))
        return prices.squeeze(1)
