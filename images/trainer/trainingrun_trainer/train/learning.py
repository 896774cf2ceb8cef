"""Says when a training ends well and yet has learnt nothing: a rate that has died, a loss that did not fall.

Pure, and no judge of how good a model is: each sentence compares a run with itself, before its first step or at an
earlier epoch. Mistakes that one batch shows are not for here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from trainingrun.spec.recipe import Recipe
from trainingrun.spec.storage import VALIDATION_PREFIX

# A rate so far below the highest one moves no weight that it could still matter to.
_DEAD = 1e-6
# A loss that differs by less has stayed where it was.
_SAME = 0.01


@dataclass
class Learning:
    """What these workers have seen of a run.

    `begin` comes first, then `untrained` unless they go on from a checkpoint, then `after_epoch` for each epoch.
    """

    recipe: Recipe
    _highest_rate: float = 0.0
    _untrained: float | None = None
    _told: set[str] = field(default_factory=set)

    def begin(self, rates: Sequence[float]) -> None:
        """The learning rates of the optimizer's groups before the first step."""
        self._highest_rate = max(rates, default=0.0)

    def untrained(self, loss: float) -> None:
        """The loss of the first batch, before anything was learnt."""
        if math.isfinite(loss):
            self._untrained = loss

    def after_epoch(
        self, epoch: int, *, steps: int, rows: int, rates: Sequence[float], metrics: dict[str, float]
    ) -> list[str]:
        """Sentences that are new after an epoch, which counts from 0 and had so many steps.

        `rows` are those that these workers have trained on in it, `rates` the learning rates now.
        """
        self._highest_rate = max([self._highest_rate, *rates])
        is_last = epoch + 1 >= self.recipe.epochs
        said = [self._of_steps(steps, rows), self._of_rates(epoch, rates)]
        if is_last:
            said += self._of_losses(metrics)
        new = [sentence for sentence in said if sentence and sentence.partition(":")[0] not in self._told]
        self._told |= {sentence.partition(":")[0] for sentence in new}
        return new

    def _of_steps(self, steps: int, rows: int) -> str:
        size = self.recipe.global_batch_size
        if steps > 1 or not 0 < rows < size:
            return ""
        return (
            f"spec.recipe.globalBatchSize: {size} is more than the {rows} rows of an epoch, so that each epoch is one "
            "step; fewer rows a batch, or more epochs, make more steps"
        )

    def _of_rates(self, epoch: int, rates: Sequence[float]) -> str:
        rate = max(rates, default=0.0)
        if self._highest_rate == 0:
            return "spec.recipe.optimizer: the learning rate is 0, so that no weight changes"
        if rate > _DEAD * self._highest_rate or epoch + 1 >= self.recipe.epochs:
            return ""  # a schedule may well end at 0
        return (
            f"spec.recipe.scheduler: the learning rate has fallen from {self._highest_rate:g} to {rate:g} in "
            f"{epoch + 1} of {self.recipe.epochs} epochs, so that no weight changes any more; it steps once per "
            f"{self.recipe.scheduler.interval.lower() if self.recipe.scheduler else 'epoch'}"
        )

    def _of_losses(self, metrics: dict[str, float]) -> list[str]:
        before = self._untrained
        if before is None:
            return []
        said = []
        for name, words in (("loss", "training"), (f"{VALIDATION_PREFIX}loss", "validation")):
            after = metrics.get(name)
            if after is not None and not after < before - _SAME * abs(before):
                said.append(
                    f"{words} loss: {after:.4g} after the last epoch is not below {before:.4g}, the loss of the first "
                    "batch before training: either nothing was learnt from these rows (look at the learning rate, the "
                    "scale of inputs, and whether targets belong to them), or they are unlike the others"
                )
        return said
