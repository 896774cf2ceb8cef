"""The collate hook, model, loss and metric of this example."""

from __future__ import annotations

import pyarrow as pa
import torch
from torch import nn

SIDE, CELLS = 16, 4


def to_grid(table: pa.Table) -> dict[str, torch.Tensor]:
    """Pictures (rows, 1, 16, 16), and a grid (rows, 3, 4, 4): whether a box begins in a cell, its height and width."""
    rows = table.to_pylist()
    pictures = torch.tensor([row["picture"] for row in rows], dtype=torch.float32).div_(255).unsqueeze(1)
    grid = torch.zeros(len(rows), 3, CELLS, CELLS)
    for place, row in enumerate(rows):
        for top, left, height, width in row["boxes"]:
            cell = (int(top) * CELLS // SIDE, int(left) * CELLS // SIDE)
            grid[(place, slice(None), *cell)] = torch.tensor([1.0, height / SIDE, width / SIDE])
    return {"picture": pictures, "grid": grid}


class Detector(nn.Module):
    """Pictures (rows, 1, 16, 16) to a grid (rows, 3, 4, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 12, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(12, 24, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(24, 3, 3, padding=1),
        )

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """A score, a height and a width for each cell."""
        grid: torch.Tensor = self.layers(picture)
        return grid


def grid_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Whether there is a box counts in every cell, its size only where there is one."""
    is_box = targets[:, :1]
    found = nn.functional.binary_cross_entropy_with_logits(outputs[:, :1], is_box)
    return found + (is_box * (outputs[:, 1:] - targets[:, 1:]).abs()).mean()


def right_cells(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Share of cells in which a box is rightly found or not."""
    return ((outputs[:, 0] > 0) == (targets[:, 0] > 0.5)).float().mean()
