"""Works out what rank 0 reports about a run's progress: how far, how fast, how much longer, how much was wasted.

Pure arithmetic over the position and the clocks; when to publish is the reporter's business.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.train.checkpoint_files import Position
from trainingrun_trainer.train.stall_clock import StallClock


@dataclass
class Meter:
    """Keeps what one status needs of before. `steps_per_epoch` is None until it is known.

    `skips_bad_rows`: bad rows are left out, and counted.
    """

    epochs: int
    steps_per_epoch: int | None
    skips_bad_rows: bool = False
    _attempt: Position = field(default_factory=Position)
    _epoch: StallClock = field(default_factory=StallClock)
    _reported: StallClock = field(default_factory=StallClock)

    @classmethod
    def of(cls, recipe: Recipe, steps_per_epoch: int | None) -> Meter:
        """The meter of a run of `recipe`."""
        return cls(recipe.epochs, steps_per_epoch, recipe.dataset.on_bad_row.action == "Skip")

    def begin_attempt(self, position: Position) -> None:
        """These workers go on from `position`."""
        self._attempt, self._reported, self._epoch = position, position.clock, position.clock

    def begin_epoch(self, position: Position) -> None:
        """These workers begin with an epoch, or with the rest of one."""
        self._epoch = position.clock

    def epoch(self, position: Position) -> StallClock:
        """What the epoch has cost these workers so far."""
        return position.clock.since(self._epoch)

    def status(self, position: Position, metrics: dict[str, float], causes: dict[str, float]) -> dict[str, Any]:
        """The fields of the record Progress for `position`."""
        recent, self._reported = position.clock.since(self._reported), position.clock
        steps = position.steps_per_epoch or self.steps_per_epoch
        share = share_done(position, steps, self.epochs)
        total = steps * self.epochs if steps else None
        timed = position.clock if share >= 1 else self.epoch(position)
        pace = self._seconds_per_step(position)
        elapsed = max(time.time() - position.started_at, 1e-3)
        return {
            "epoch": position.epoch,
            "epochs": self.epochs,
            "step": position.step,
            "total_steps": total,
            "percent": 100 * share,
            "rows": position.rows,
            "rows_per_second": timed.rows_per_second,
            "recent_rows_per_second": recent.rows_per_second,
            "recent_seconds": recent.seconds if recent.rows else None,
            "metrics": metrics,
            "eta_seconds": pace * (1 - share) * total if pace is not None and total else None,
            "stall": position.clock.stall(causes),
            "recent_stall": recent.stall(causes) if recent.rows else None,
            "goodput_percent": min(100.0, 100 * position.productive_seconds / elapsed),
            "bad_rows": position.bad_rows if self.skips_bad_rows else None,
        }

    def _seconds_per_step(self, position: Position) -> float | None:
        """The pace of these workers, since those before may have been more or fewer; None before the first step."""
        steps = position.step - self._attempt.step
        return position.clock.since(self._attempt.clock).steady_seconds / steps if steps else None


def share_done(position: Position, steps_per_epoch: int | None, epochs: int) -> float:
    """The share of all epochs that is trained, 0 to 1."""
    within = min(1.0, position.epoch_step / steps_per_epoch) if steps_per_epoch else 0.0
    return min(1.0, (position.epoch + within) / epochs)
