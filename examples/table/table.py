"""The transform and the model of this example."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

CITIES = ("Bergen", "Gent", "Porto")


def to_features(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns of the file to `features` (rows, 6) and `bought` (rows,)."""
    cities = np.stack([batch["city"] == city for city in CITIES], axis=1)
    numbers = np.stack([batch["age"] / 50, batch["income"] / 50_000, batch["member"]], axis=1)
    return {"features": np.concatenate([numbers, cities], axis=1).astype(np.float32), "bought": batch["bought"]}


class Classifier(nn.Module):
    """Features (rows, 6) to scores (rows, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Scores for not bought and bought."""
        scores: torch.Tensor = self.layers(features)
        return scores
