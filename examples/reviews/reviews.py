"""The tokenizer and the model of this example."""

from __future__ import annotations

import re
import zlib

import numpy as np
import torch
from torch import nn

PADDING = 0


class Tokenizer:
    """Text to numbers of words: a hash of each, so that no vocabulary has to be made first."""

    def __init__(self, words: int, length: int):
        self.words, self.length = words, length

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Column `text` to `ids` (rows, length), with zeros behind the end of a text."""
        ids = np.full((len(batch["text"]), self.length), PADDING)
        for row, text in enumerate(batch["text"]):
            found = [self._id(word) for word in re.findall(r"\w+", text.lower())[: self.length]]
            ids[row, : len(found)] = found
        return {"ids": ids, "label": batch["label"]}

    def _id(self, word: str) -> int:
        return 1 + zlib.crc32(word.encode()) % (self.words - 1)


class Sentiment(nn.Module):
    """Numbers of words (rows, length) to one score per class."""

    def __init__(self, words: int, classes: int):
        super().__init__()
        self.mean = nn.EmbeddingBag(words, 16, mode="mean", padding_idx=PADDING)
        self.head = nn.Linear(16, classes)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Scores (rows, classes) from the mean of the words."""
        scores: torch.Tensor = self.head(self.mean(ids))
        return scores
