"""The model, loss and metric of this example."""

from __future__ import annotations

import torch
from torch import nn


class Segmenter(nn.Module):
    """Pictures (rows, 1, height, width) to one score per pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 1, 1)
        )

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """Scores (rows, height, width); above 0 means within the disc."""
        scores: torch.Tensor = self.layers(picture)
        return scores.squeeze(1)


def pixel_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """`targets` are the masks as they are stored: uint8, 0 or 1."""
    return nn.functional.binary_cross_entropy_with_logits(outputs, targets.float())


def overlap(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Intersection over union of each mask, as the mean over the rows."""
    found, wanted = outputs > 0, targets > 0
    both = (found & wanted).sum(dim=(1, 2))
    either = (found | wanted).sum(dim=(1, 2)).clamp(min=1)
    return (both / either).mean()
