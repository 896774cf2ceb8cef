"""The model of this example."""

from __future__ import annotations

import torch
from torch import nn


class TextClassifier(nn.Module):
    """Token ids and their mask, both (rows, length), to one score per class."""

    def __init__(self, vocabulary: int, classes: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 16)
        self.head = nn.Linear(16, classes)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Scores (rows, classes) from the mean of those tokens that are no padding."""
        mask = attention_mask.unsqueeze(2).float()
        mean = (self.embedding(input_ids) * mask).sum(dim=1) / mask.sum(dim=1)
        scores: torch.Tensor = self.head(mean)
        return scores
