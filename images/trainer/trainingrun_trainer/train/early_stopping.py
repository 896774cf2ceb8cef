"""Decides whether a metric has become better, and whether it has not for so long that training should end.

Pure. A value that is no number is never better than anything, and anything is better than such a value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from trainingrun.spec.recipe import EarlyStopping


def is_better(value: float, best: float | None, mode: str, *, by: float = 0.0) -> bool:
    """Whether `value` is better than `best`, by more than `by`. `mode` is Max or Min."""
    if not math.isfinite(value):
        return False
    if best is None or not math.isfinite(best):
        return True
    return value - best > by if mode == "Max" else best - value > by


@dataclass(frozen=True)
class Patience:
    """The best value so far, and the epochs that have ended since without a better one."""

    best: float | None = None
    epochs: int = 0

    def after(self, value: float, rule: EarlyStopping) -> Patience:
        """When another epoch has ended, with this value of the rule's metric."""
        if is_better(value, self.best, rule.mode, by=rule.min_delta):
            return Patience(value)
        return Patience(self.best, self.epochs + 1)

    def is_over(self, rule: EarlyStopping | None) -> bool:
        """Whether training should end."""
        return rule is not None and self.epochs >= rule.patience

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"best": self.best, "epochs": self.epochs}
