"""Measures what share of the trainers' time went into waiting for data, and on what.

The waiting is timed around the iterator by the loop itself; only its split by cause comes from Ray's iterator, which
counts it but has no public accessor: `blocked_by_cause` is the one place that knows its names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainingrun.contract.records import Stall

# Ray's counters by what a person can do about them.
_CAUSES = {
    "Production": ("iter_blocked_production_wait_s",),
    "Transfer": ("iter_blocked_data_transfer_s",),
    "Collate": (
        "iter_blocked_batching_s",
        "iter_blocked_format_s",
        "iter_blocked_collate_s",
        "iter_blocked_finalize_s",
    ),
}


@dataclass
class StallClock:
    """Sums up waiting and computing over steps; one for each epoch and one for the attempt."""

    waited_seconds: float = 0.0
    first_waits_seconds: float = 0.0
    computed_seconds: float = 0.0
    steps: int = 0

    def add(self, *, waited_seconds: float, computed_seconds: float, is_first: bool) -> None:
        """Account for one step. `is_first` says that its wait was for the first batch of an epoch."""
        self.waited_seconds += waited_seconds
        self.computed_seconds += computed_seconds
        self.steps += 1
        if is_first:
            self.first_waits_seconds += waited_seconds

    def seconds_per_step(self) -> float | None:
        """The pace once data flows: waits for an epoch's first batch are left out. None before the first step."""
        steady = self.waited_seconds - self.first_waits_seconds + self.computed_seconds
        return steady / self.steps if self.steps else None

    def stall(self, causes: dict[str, float]) -> Stall:
        """The shares so far, in percent; `causes` are weights that the total is split by."""
        total = _percent(self.waited_seconds, self.computed_seconds)
        weights = sum(causes.values())
        return Stall(
            total_percent=total,
            steady_percent=_percent(self.waited_seconds - self.first_waits_seconds, self.computed_seconds),
            causes={name: total * value / weights for name, value in causes.items()} if weights else {},
        )


def blocked_by_cause(shard: Any) -> dict[str, float]:
    """Seconds that `shard`, a Ray Data iterator, has been blocked since it was made, by cause.

    Raises AttributeError when Ray has renamed its counters; a test guards that.
    """
    stats = shard._iter_stats
    return {cause: sum(getattr(stats, counter).get() for counter in counters) for cause, counters in _CAUSES.items()}


def _percent(part: float, rest: float) -> float:
    whole = part + rest
    return 100 * part / whole if whole > 0 else 0.0
