"""Counts what training's steps cost: waiting for data, computing, and how many rows they trained.

One clock runs for the whole run, across attempts, since checkpoints keep it; what a stretch of it cost is the
difference between two of its states. Pure: others look at the time. Saving and validation are no part of it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from trainingrun.contract.records import Stall


@dataclass(frozen=True)
class StallClock:
    """Sums over steps. `seconds` is all of their time, in which the device either waited for data or computed."""

    rows: int = 0
    seconds: float = 0.0
    waited_seconds: float = 0.0
    first_waits_seconds: float = 0.0
    computed_seconds: float = 0.0

    def with_batch(self, *, rows: int, waited_seconds: float, is_first: bool) -> StallClock:
        """After a step's batch has come. `is_first` says that the wait was for the first batch of an epoch."""
        return dataclasses.replace(
            self,
            rows=self.rows + rows,
            waited_seconds=self.waited_seconds + waited_seconds,
            first_waits_seconds=self.first_waits_seconds + (waited_seconds if is_first else 0.0),
        )

    def with_time(self, seconds: float, *, computed_seconds: float) -> StallClock:
        """After `seconds`, in so many of which the device had something to compute."""
        return dataclasses.replace(
            self, seconds=self.seconds + seconds, computed_seconds=self.computed_seconds + computed_seconds
        )

    def since(self, before: StallClock) -> StallClock:
        """What has been added since this clock was `before`."""
        return StallClock(
            rows=self.rows - before.rows,
            seconds=self.seconds - before.seconds,
            waited_seconds=self.waited_seconds - before.waited_seconds,
            first_waits_seconds=self.first_waits_seconds - before.first_waits_seconds,
            computed_seconds=self.computed_seconds - before.computed_seconds,
        )

    @property
    def rows_per_second(self) -> float | None:
        """The rate; None before there are rows."""
        return self.rows / self.seconds if self.rows and self.seconds > 0 else None

    @property
    def steady_seconds(self) -> float:
        """Waiting and computing once data flow: without the waits for an epoch's first batch."""
        return self.waited_seconds - self.first_waits_seconds + self.computed_seconds

    def stall(self, causes: dict[str, float]) -> Stall:
        """The shares of waiting, in percent; `causes` are weights that the total is split by."""
        total = _percent(self.waited_seconds, self.computed_seconds)
        weights = sum(causes.values())
        return Stall(
            total_percent=total,
            steady_percent=_percent(self.waited_seconds - self.first_waits_seconds, self.computed_seconds),
            causes={name: total * value / weights for name, value in causes.items()} if weights else {},
        )


def _percent(part: float, rest: float) -> float:
    whole = part + rest
    return 100 * part / whole if whole > 0 else 0.0
