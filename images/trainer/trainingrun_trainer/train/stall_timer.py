"""Times the steps of a worker into the clock of its position: one call for each thing that happens in a step.

Time counts as computing unless the device had nothing to do for want of data. How long a step takes in this process
says nothing: on a GPU it only queues the work. The loop between two calls is the author's, so a step may also save a
checkpoint or publish its progress: time that is not for training is left out by `restart`. It must not know what a step
does, nor wait for a device.
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
        self._is_training = False

    def restart(self) -> None:
        """What has happened since the last call is no part of training: saving, validation, a pause."""
        self._timed_until = self._now()

    def batch_came(self, position: Position, *, rows: int, waited_seconds: float, is_first: bool) -> Position:
        """A step begins with so many rows of all ranks. `is_first`: the wait was for the first batch of an epoch.

        `waited_seconds` are those for which a device had nothing to do.
        """
        # Another rank may have waited for longer than this one has been here.
        waited = min(waited_seconds, self._now() - self._timed_until)
        position = self._timed(position, waited)
        self._is_training = True
        clock = position.clock.with_batch(rows=rows, waited_seconds=waited, is_first=is_first)
        return dataclasses.replace(position, rows=position.rows + rows, clock=clock)

    def in_step(self, position: Position) -> Position:
        """The step is not done yet, or there is none: then nothing has been added."""
        return self._timed(position) if self._is_training else position

    def step_done(self, position: Position) -> Position:
        """The step has ended in this process."""
        return self._timed(position)

    def steps_done(self, position: Position) -> Position:
        """The last of these steps has ended on the device, too: what follows is no training."""
        position = self._timed(position)
        self._is_training = False
        return position

    def _timed(self, position: Position, waited_seconds: float = 0.0) -> Position:
        before, self._timed_until = self._timed_until, self._now()
        seconds = self._timed_until - before
        computed = seconds - waited_seconds
        return dataclasses.replace(
            position,
            clock=position.clock.with_time(seconds, computed_seconds=computed),
            productive_seconds=position.productive_seconds + computed,
        )
