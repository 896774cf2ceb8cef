"""Seeds every random generator that models, losses and augmentations draw from: Python's, NumPy's and torch's.

Which seed is whose is decided by callers: weights must be equal on all ranks, dropout must not.
"""

from __future__ import annotations

import random

import numpy as np
import torch

_NUMPY_SEEDS = 2**32


def seed_all(seed: int) -> None:
    """Seed the generators of this process. `seed` is any integer that is not negative."""
    random.seed(seed)
    np.random.seed(seed % _NUMPY_SEEDS)
    torch.manual_seed(seed)
