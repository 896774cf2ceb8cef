"""Seeds the generators of random numbers that an author's augmentation draws from, so that a row gets the same one
whenever it comes up.

Must stay light: user modules import it, also in processes that only read data. It loads torch for nobody.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

Made = TypeVar("Made")


def seed_generators(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch, of torch the CPU's. `seed` is 0 to 2^32 - 1."""
    random.seed(seed)
    np.random.seed(seed)
    # Who has not loaded torch draws nothing from it.
    torch = sys.modules.get("torch")
    if torch is not None:
        # torch.manual_seed also seeds GPUs, at a hundred times the cost.
        torch.default_generator.manual_seed(seed)


@contextlib.contextmanager
def generators_kept() -> Iterator[None]:
    """Have the generators that `seed_generators` seeds go on as if nothing within had drawn from them."""
    python, numpy = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    drawn = torch.default_generator.get_state() if torch is not None else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if torch is not None:
            torch.default_generator.set_state(drawn)


def by_row(function: Callable[[Any], Made], values: Iterable[Any], seeds: Iterable[int]) -> list[Made]:
    """What `function` makes of each value, with the generators seeded by its seed before each call.

    For a Batch transform that is told `seeds`: what comes out for a row then depends on no other row of its batch.
    """
    made = []
    for value, seed in zip(values, seeds, strict=True):
        seed_generators(int(seed))
        made.append(function(value))
    return made
