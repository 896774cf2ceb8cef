"""How many bytes of the object store the pool may fill, and which part of it each pass.

Slabs may fill half of a pass's part, so that there is always room to make units of them and so let them go. What a
rank needs next is made whatever the budget: that is decided in `passes`. So what is held above a budget that has become
less is used up, and nothing waits for it. Pure arithmetic.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from trainingrun_trainer.pool.reading_ahead import Room
from trainingrun_trainer.pool.workers import Workers

# Of the data nodes' object stores: the rest is for what is on its way, and for copies of other nodes' slabs.
_STORE_SHARE = 0.5


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


def share_of(store_bytes: float) -> int:
    """What the pool may fill of object stores that hold so many bytes."""
    return int(_STORE_SHARE * store_bytes)


@dataclass
class Budget:
    """`total_bytes` for the pool. If `has_kept`, a quarter is for kept units and one for making them.

    `leaving` are nodes that have been let go of and still live.
    """

    total_bytes: int
    has_kept: bool
    leaving: Collection[str] = ()

    @property
    def kept_bytes(self) -> int:
        """What kept units may fill."""
        return self.total_bytes // 4

    def fit(self, stores: Mapping[str, int], leaving: Collection[str]) -> bool:
        """The nodes in use have `stores` of so many bytes. Returns whether others are `leaving` that were in use."""
        is_news = not set(leaving) <= set(self.leaving)
        self.total_bytes, self.leaving = share_of(sum(stores.values())), leaving
        return is_news

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
