"""Times the steps of a worker into the clock of its position: one call for each thing that happens in a step.

The loop between two calls is the author's, so a step may also save a checkpoint or publish its progress: time that is
not for training is left out by `restart`. It must not know what a step does.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from trainingrun_trainer.train.checkpoint_files import Position


class StallTimer:
    """Each method returns the position with the time that has passed since the call before. `now` is in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic):
        self._now = now
        self._timed_until = now()
        self._is_in_step = False

    def restart(self) -> None:
        """What has happened since the last call is no part of training: saving, validation, a pause."""
        self._timed_until = self._now()

    def batch_came(self, position: Position, *, rows: int, waited_seconds: float, is_first: bool) -> Position:
        """A step begins with so many rows of all ranks. `is_first`: the wait was for the first batch of an epoch."""
        position = self._timed(position)
        self._is_in_step = True
        clock = position.clock.with_batch(rows=rows, waited_seconds=waited_seconds, is_first=is_first)
        return dataclasses.replace(position, rows=position.rows + rows, clock=clock)

    def in_step(self, position: Position) -> Position:
        """The step is not done yet, or there is none: then nothing has been added."""
        return self._timed(position) if self._is_in_step else position

    def step_done(self, position: Position) -> Position:
        """The step has ended."""
        position = self._timed(position)
        self._is_in_step = False
        return position

    def _timed(self, position: Position) -> Position:
        before, self._timed_until = self._timed_until, self._now()
        seconds = self._timed_until - before
        return dataclasses.replace(
            position,
            clock=position.clock.with_time(seconds, computed=self._is_in_step),
            productive_seconds=position.productive_seconds + (seconds if self._is_in_step else 0.0),
        )
