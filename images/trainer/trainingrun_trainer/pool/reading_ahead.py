"""Which slab of a pass is read next: so many ahead that workers never idle, and no more.

Within a bundle slabs are read one after the other, different bundles side by side, and groups in order: a later group
is begun only if those before it cannot keep the workers busy. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from trainingrun_trainer.data.slabs import Bundle
from trainingrun_trainer.pool.cutting import Cost
from trainingrun_trainer.pool.windows import Group, Slab, SlabState, Window

# What is known ahead keeps all workers busy for this long, and for as long as two slabs take to come.
_SECONDS_AHEAD = 3.0


@dataclass(frozen=True)
class Costs:
    """What the stages of one dataset cost."""

    read: Cost
    prepare: Cost
    make: Cost


@dataclass(frozen=True)
class Room:
    """What the moment allows a pass: `workers` there are, and bytes that it may still fill.

    `slabs` are for slabs of the group that is read, `beyond` for those of later ones, `units` for made units.
    `has_makers` tells whether a worker is free that has nothing to read, `has_idle` whether one has nothing to do.
    """

    workers: int
    units: float
    slabs: float
    beyond: float
    has_makers: bool
    has_idle: bool


class ReadingAhead:
    """How far a pass is read. `ahead` counts rows that are read or being read, but not cut yet.

    Of `groups`, empty ones are left out.
    """

    def __init__(self, groups: tuple[tuple[Bundle, ...], ...], slab_bytes: int, costs: Costs):
        self.ahead = 0
        self.slabs_ahead = 0
        self.in_flight = 0
        self._left = [(index, bundles) for index, bundles in enumerate(groups) if bundles]
        self._slab_bytes = slab_bytes
        self._costs = costs
        self._groups: dict[int, Group] = {}  # those that are opened and not known whole
        self._opened = 0
        self._current = 0  # the first group that is not known whole
        self._reading = 0  # the first group that is not read to its end

    @property
    def is_over(self) -> bool:
        """Whether all windows are known."""
        return self._current == len(self._left)

    @property
    def expected_bytes(self) -> float:
        """What the next slab is expected to have."""
        measured = self._costs.read.bytes_per_task
        return self._slab_bytes if measured is None else measured

    def target(self, workers: int) -> float | None:
        """Rows that should be known ahead; None until it was measured what rows cost."""
        read, make = self._costs.read, self._costs.make
        if read.seconds_per_row is None or read.seconds_per_task is None or make.seconds_per_row is None:
            return None
        a_row = read.seconds_per_row + make.seconds_per_row + (self._costs.prepare.seconds_per_row or 0.0)
        latency = read.seconds_per_task + (self._costs.prepare.seconds_per_task or 0.0)
        return (_SECONDS_AHEAD + 2 * latency) * workers / max(a_row, 1e-9)

    def needed(self) -> Slab | None:
        """A slab for which the first window that is not known waits; None if all those are on their way."""
        if self.is_over:
            return None
        if self._current == self._opened:
            self._open()
        group = self._groups[self._current]
        return self._take(group) if group.blocks else None

    def next(self, room: Room) -> Slab | None:
        """The slab that is worth reading now, if any; it counts as being read."""
        expected, target = self.expected_bytes, self.target(room.workers)
        if expected > room.slabs:
            return None
        group = self._group_read()
        if group is not None and group.has_wanted:
            before = self.ahead - sum(self._groups[i].ahead for i in range(self._reading + 1, self._opened))
            if group.is_begun or not self._is_enough(before, target, room.workers):
                return self._take(group)
        if expected > room.beyond or self._is_enough(self.ahead, target, room.workers):
            return None
        later = (self._groups[i] for i in range(self._reading + 1, self._opened))
        group = next((group for group in later if group.has_wanted), None)
        if group is None and self._opened < len(self._left):
            group = self._open()
        return self._take(group) if group is not None else None

    def put_back(self, slab: Slab) -> None:
        """A slab that was never read has to be begun anew."""
        self.in_flight -= 1
        self.slabs_ahead -= 1
        self.recount(slab, 0)
        slab.state = SlabState.WANTED
        slab.window.group.put_back(slab)

    def note_read(self, slab: Slab, has_more: bool) -> None:
        """A slab was read for the first time, or it cannot be."""
        self.in_flight -= 1
        slab.window.group.note_read(slab, has_more)

    def recount(self, slab: Slab, rows: int) -> None:
        """A slab turned out to have `rows` rows."""
        difference = rows - slab.counted
        slab.counted = rows
        self.ahead += difference
        slab.window.group.ahead += difference

    def note_known(self, window: Window) -> None:
        """A window is known whole, and so is how many rows are to be cut of it."""
        difference = window.rows - sum(slab.counted for slab in window.slabs.values())
        self.ahead += difference
        window.group.ahead += difference

    def cut(self, window: Window, rows: int) -> None:
        """Of a known window, `rows` rows were cut."""
        self.ahead -= rows
        window.group.ahead -= rows

    def next_known(self) -> Window | None:
        """The next window of the pass, in order, all slabs of which are ready."""
        while (group := self._groups.get(self._current)) is not None:
            window = group.next_known()
            if window is not None:
                return window
            if not group.is_known:
                return None
            del self._groups[self._current]
            self._current += 1
        return None

    def _is_enough(self, rows: int, target: float | None, workers: int) -> bool:
        return self.slabs_ahead >= workers if target is None else rows >= target

    def _group_read(self) -> Group | None:
        while self._reading < self._opened:
            group = self._groups.get(self._reading)
            if group is not None and not group.is_read:
                return group
            self._reading += 1
        return self._open() if self._opened < len(self._left) else None

    def _open(self) -> Group:
        group = self._groups[self._opened] = Group(*self._left[self._opened])
        self._opened += 1
        return group

    def _take(self, group: Group) -> Slab:
        slab = group.take_wanted()
        self.in_flight += 1
        self.slabs_ahead += 1
        self.recount(slab, int(self._costs.read.rows_per_task or 0))
        return slab
