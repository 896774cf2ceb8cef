"""A model of one's own."""

from __future__ import annotations

import torch


class Digits(torch.nn.Module):
    """Learns from the first pixels."""

    def __init__(self, classes):
        super().__init__()
        self.layer = torch.nn.Linear(64, classes)

    def forward(self, images):
        """Images to scores."""
        return self.layer(images.float().reshape(len(images), -1)[:, :64])
