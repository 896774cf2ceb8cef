"""Works out what rank 0 tells about a run's progress: how far, how fast, how long still, how much of it was waste.

Pure arithmetic over the position and the clocks; when to publish is the reporter's business.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from trainingrun_trainer.train.checkpoint_files import Position
from trainingrun_trainer.train.stall import StallClock


@dataclass
class Meter:
    """Keeps what one status needs of the one before. `steps_per_epoch` is None until it is known."""

    epochs: int
    steps_per_epoch: int | None
    attempt: StallClock = field(default_factory=StallClock)
    recent: StallClock = field(default_factory=StallClock)
    _rows: int = 0
    _time: float = field(default_factory=time.monotonic)

    def status(self, position: Position, metrics: dict[str, float], causes: dict[str, float]) -> dict[str, Any]:
        """The fields of the record Progress for `position`."""
        seconds = max(time.monotonic() - self._time, 1e-3)
        rate = (position.rows - self._rows) / seconds
        recent, self.recent = self.recent, StallClock()
        self.restart_rate(position)
        steps = position.steps_per_epoch or self.steps_per_epoch
        share = share_done(position, steps, self.epochs)
        total = steps * self.epochs if steps else None
        pace = self.attempt.seconds_per_step()
        elapsed = max(time.time() - position.started_at, 1e-3)
        return {
            "epoch": position.epoch,
            "epochs": self.epochs,
            "step": position.step,
            "total_steps": total,
            "percent": 100 * share,
            "rows": position.rows,
            "rows_per_second": rate,
            "metrics": metrics,
            "eta_seconds": pace * (1 - share) * total if pace is not None and total else None,
            "stall": self.attempt.stall(causes),
            "recent_stall": recent.stall(causes),
            "goodput_percent": min(100.0, 100 * position.productive_seconds / elapsed),
        }

    def restart_rate(self, position: Position) -> None:
        """Begin to measure rows per second anew: what happened until now is no part of the next rate."""
        self._rows, self._time = position.rows, time.monotonic()


def share_done(position: Position, steps_per_epoch: int | None, epochs: int) -> float:
    """The share of all epochs that is trained, 0 to 1."""
    within = min(1.0, position.epoch_step / steps_per_epoch) if steps_per_epoch else 0.0
    return min(1.0, (position.epoch + within) / epochs)
