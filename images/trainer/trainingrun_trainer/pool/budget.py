"""How many bytes of the object store the pool may fill, and which part of it each pass.

Slabs may fill half of a pass's part, so that there is always room to make units of them and so let them go. What a
rank needs next is made whatever the budget: that is decided in `passes`. Pure arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainingrun_trainer.pool.reading_ahead import Room
from trainingrun_trainer.pool.workers import Workers


@dataclass
class Held:
    """Bytes that a pass holds: slabs, units that no rank has taken, and kept ones. `expected` is in the making."""

    slabs: int = 0
    units: int = 0
    kept: int = 0
    expected_slabs: float = 0.0
    expected_units: float = 0.0

    @property
    def total(self) -> int:
        """What is there."""
        return self.slabs + self.units + self.kept


@dataclass(frozen=True)
class Budget:
    """`total_bytes` for the pool. If `has_kept`, a quarter is for kept units and one for making them."""

    total_bytes: int
    has_kept: bool

    @property
    def kept_bytes(self) -> int:
        """What kept units may fill."""
        return self.total_bytes // 4

    def room(self, held: Iterable[Held], workers: Workers, *, is_kept: bool) -> Room:
        """What is left for a pass, where all passes of its kind hold `held`."""
        limit = self.total_bytes / (4 if is_kept else 2 if self.has_kept else 1)
        slabs = units = 0.0
        for each in held:
            slabs += each.slabs + each.expected_slabs
            units += each.units + each.expected_units
        left = limit - slabs - units
        return Room(
            workers=len(workers),
            units=left,
            slabs=min(left, limit / 2 - slabs),
            beyond=min(left, limit / 4 - slabs),
            has_makers=workers.has_makers,
            has_idle=workers.busy < len(workers),
        )
