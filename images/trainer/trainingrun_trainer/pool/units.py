"""Units of each rank: which are made, given and taken, in the rank's order.

Keeps the account of one rank in one pass; what is cut and where it is made is not its affair. Pure.
"""

from __future__ import annotations

import enum

from trainingrun_trainer.pool.tasks import Answer, Ended, Failed, Ready, ReadyUnit, TaskId, Waiting
from trainingrun_trainer.pool.windows import Window


class UnitState(enum.Enum):
    """Where a unit stands. LOST: it has to be made, again or once its window's slabs are back."""

    RUNNING = "Running"
    MADE = "Made"
    LOST = "Lost"
    FAILED = "Failed"


class Unit:
    """Rows at `positions` of a rank's share of a window."""

    __slots__ = (
        "deaths",
        "error",
        "is_taken",
        "losses",
        "number",
        "object",
        "positions",
        "rank",
        "size_bytes",
        "state",
        "window",
    )

    def __init__(self, window: Window, rank: int, number: int, positions: range):
        self.window = window
        self.rank = rank
        self.number = number
        self.positions = positions
        self.state = UnitState.LOST
        self.object: TaskId | None = None
        self.size_bytes = 0
        self.deaths = 0
        self.losses = 0
        self.is_taken = False
        self.error: Exception | None = None


class RankUnits:
    """One rank's units. `window` and `offset` are where its next unit begins: in the pass, and in its share."""

    def __init__(self, rank: int):
        self.rank = rank
        self.window = 0
        self.offset = 0
        self.share = range(0)
        self.cut = 0
        self.taken = 0
        self.is_all_cut = False
        self.error: Exception | None = None
        self.has_failed = False
        self.units: dict[int, Unit] = {}
        self._given = 0
        self._again: set[int] = set()

    @property
    def is_starving(self) -> bool:
        """Whether all of its units are taken though there are more to come."""
        return self.cut == self.taken and not self.is_all_cut and self.error is None

    @property
    def has_ended(self) -> bool:
        """Whether all of its rows are taken."""
        return self.is_all_cut and self.taken == self.cut and self.error is None

    @property
    def is_waiting(self) -> bool:
        """Whether it could not be given anything now."""
        unit = self.units.get(self._given)
        return not self.has_ended and (unit is None or unit.state is not UnitState.MADE)

    def add(self, window: Window, positions: range) -> Unit:
        """Its next unit."""
        unit = self.units[self.cut] = Unit(window, self.rank, self.cut, positions)
        self.cut += 1
        self.offset += len(positions)
        return unit

    def ready(self) -> Answer:
        """What can be given now, in order; it counts as given."""
        given = [self.units[number] for number in sorted(self._again) if self.units[number].state is UnitState.MADE]
        self._again.difference_update(unit.number for unit in given)
        while (unit := self.units.get(self._given)) is not None and unit.state is UnitState.MADE:
            given.append(unit)
            self._given += 1
        if given:
            return Ready(tuple(ReadyUnit(unit.number, unit.object) for unit in given if unit.object is not None))
        failed = next((self.units[n].error for n in sorted(self._again) if self.units[n].error is not None), None)
        if failed is None and not self._again:
            failed = self.error if unit is None and self._given == self.cut else unit.error if unit else None
        if failed is not None:
            return Failed(failed)
        return Ended() if self.has_ended else Waiting()

    def given(self, number: int) -> Unit | None:
        """The unit, if it was given, can be fetched and is not taken yet."""
        unit = self.units.get(number)
        is_there = unit is not None and number < self._given and number not in self._again
        return unit if is_there and unit is not None and not unit.is_taken else None

    def give_again(self, number: int) -> None:
        """A unit that was made is lost: it is given a second time, if it was given."""
        if number < self._given:
            self._again.add(number)

    def restart(self) -> None:
        """Give everything once more, from the first unit on. All of its units must be there."""
        self._given, self.taken = 0, 0
        self._again.clear()
        for unit in self.units.values():
            unit.is_taken = False
