"""Sums an epoch's loss and metrics over rows, so that means are over all rows of all ranks and survive a restart.

Must not make a step wait for the device: values stay there until somebody asks for a mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from trainingrun_trainer.train.lockstep import Lockstep


@dataclass
class Sums:
    """Weighted sums by metric, as tensors on the device, and the rows that each is over."""

    values: dict[str, torch.Tensor] = field(default_factory=dict)
    rows: dict[str, float] = field(default_factory=dict)

    def add(self, rows: float, means: dict[str, torch.Tensor]) -> None:
        """Add means over `rows` rows: scalar tensors."""
        for name, mean in means.items():
            self._add(name, mean.detach().double() * rows, rows)

    def merge(self, other: Sums) -> None:
        """Add everything that `other` has."""
        for name, value in other.values.items():
            self._add(name, value, other.rows[name])

    def means(self) -> dict[str, float]:
        """The means over all rows that this rank has added so far; this waits for the device."""
        return {name: float(value) / self.rows[name] for name, value in self.values.items() if self.rows[name]}

    def over_ranks(self, lockstep: Lockstep) -> Totals:
        """The sums of all ranks together. Collective; this waits for the device.

        Metrics are those of any rank: one that has had no rows knows of none.
        """
        names = sorted(set().union(*lockstep.gather(sorted(self.values))))
        mine = [float(self.values[name]) if name in self.values else 0.0 for name in names]
        sums = lockstep.sum([*mine, *(self.rows.get(name, 0.0) for name in names)])
        return Totals({name: (sums[at], sums[len(names) + at]) for at, name in enumerate(names)})

    def _add(self, name: str, value: torch.Tensor, rows: float) -> None:
        known = self.values.get(name)
        self.values[name] = value if known is None else known.to(value.device) + value
        self.rows[name] = self.rows.get(name, 0.0) + rows


@dataclass(frozen=True)
class Totals:
    """Plain numbers that a checkpoint can hold: by metric, the weighted sum and the rows that it is over."""

    values: dict[str, tuple[float, float]]

    @property
    def means(self) -> dict[str, float]:
        """The mean of each metric."""
        return {name: total / rows for name, (total, rows) in self.values.items() if rows}

    def sums(self) -> Sums:
        """Sums that go on from these."""
        return Sums(
            {name: torch.tensor(total, dtype=torch.float64) for name, (total, _) in self.values.items()},
            {name: rows for name, (_, rows) in self.values.items()},
        )


@dataclass
class Tally:
    """What this rank has counted in an epoch.

    `recent` are the sums of its loss and metrics since they were last reported, `reported` those before. `left_out`
    counts steps that were left out since a loss or gradient was no number, `overflowed` those that FP16's gradient
    scaler left out; both are the same on all ranks.
    """

    recent: Sums = field(default_factory=Sums)
    reported: Sums = field(default_factory=Sums)
    left_out: int = 0
    overflowed: int = 0

    @property
    def sums(self) -> Sums:
        """The sums of the epoch so far."""
        both = Sums()
        both.merge(self.reported)
        both.merge(self.recent)
        return both

    def report(self) -> dict[str, float]:
        """The means over the rows since the last call; this waits for the device."""
        means = self.recent.means()
        self.reported, self.recent = self.sums, Sums()
        return means

    def clear(self) -> None:
        """Another epoch begins."""
        self.recent, self.reported, self.left_out, self.overflowed = Sums(), Sums(), 0, 0

    def state(self, lockstep: Lockstep) -> dict[str, Any]:
        """For a checkpoint, of all ranks together. Collective."""
        totals = self.sums.over_ranks(lockstep)
        return {"sums": totals.values, "left_out": self.left_out, "overflowed": self.overflowed}

    def restore(self, state: dict[str, Any], *, is_first: bool) -> None:
        """Go on from `state`. The first rank carries the sums of all."""
        self.left_out, self.overflowed = state["left_out"], state["overflowed"]
        if is_first:
            self.reported = Totals(state["sums"]).sums()
