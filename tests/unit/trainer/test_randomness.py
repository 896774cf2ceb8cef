"""One seed for every generator that a model or an augmentation may draw from."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from trainingrun_trainer.train.randomness import seed_all


def drawn(seed: int) -> tuple[float, float, float]:
    seed_all(seed)
    return random.random(), float(np.random.rand()), float(torch.rand(()))


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, 2**32 + 5, 2**62])
def test_the_same_seed_draws_the_same_everywhere(seed: int) -> None:
    assert drawn(seed) == drawn(seed)
    assert all(one != other for one, other in zip(drawn(seed), drawn(seed + 1), strict=True))
