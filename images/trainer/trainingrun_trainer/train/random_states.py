"""The random generators of a training process: what a checkpoint keeps of them, and setting them again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainingrun_trainer.train.randomness import seed_all


def random_states() -> dict[str, Any]:
    """The states of all generators that training draws from."""
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_available() else [],
    }


def resume_random(directory: Path, rank: int, *, seed: int, step: int) -> None:
    """Go on as `rank` had them; a rank that the checkpoint did not have draws what none before it has drawn."""
    if not restore_random(directory, rank):
        seed_all(abs(hash((seed, step, rank))))


def restore_random(directory: Path, rank: int) -> bool:
    """Set this process's random generators as `rank` had them; False if the checkpoint had fewer ranks."""
    path = directory / f"random-{rank}.pt"
    if not path.exists():
        return False
    states = torch.load(path, weights_only=False)  # our own file, checked against its digest
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"][0])
    return True
