"""Classes whose instances transform rows, and what makes them, as the author of a run writes them."""

from __future__ import annotations

from typing import Any

import numpy as np


class Counter:
    """Counts what it is built and called, and says whether it is training."""

    built = 0

    def __init__(self, start: int = 0):
        type(self).built += 1
        if start < 0:
            raise ValueError(f"start {start} is negative")
        self.calls = start

    def __call__(self, batch: dict[str, Any], training: bool, seeds: Any) -> dict[str, Any]:
        self.calls += 1
        rows = len(batch["label"])
        return {**batch, "call": np.full(rows, self.calls), "told": np.full(rows, training), "drawn": seeds}


class Unreachable:
    """A client of a database that is down."""

    built = 0

    def __init__(self) -> None:
        type(self).built += 1
        raise ConnectionRefusedError("no database")

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return batch


class TakesNoBatch:
    def __call__(self) -> None:
        """Nothing."""


class WantsOneSeed:
    def __call__(self, batch: dict[str, Any], seed: int = 3) -> dict[str, Any]:
        return batch


class NotCallable:
    """An instance that cannot be called."""


def make_counter(start: int) -> Counter:
    return Counter(start)


def make_number() -> int:
    return 3


class OnTrainer:
    built = 0

    def __init__(self) -> None:
        type(self).built += 1

    def __call__(self, batch: dict[str, Any], training: bool) -> dict[str, Any]:
        return {**batch, "told": training}


on_class = OnTrainer
