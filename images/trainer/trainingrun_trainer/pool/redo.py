"""What has to be made again because workers or objects were lost: before anything new, and in the order of windows.

A window whose slabs were let go is read again for it: one at a time, unless there is room for more. Pure.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque

from trainingrun_trainer.pool.units import Unit, UnitState
from trainingrun_trainer.pool.windows import Slab, SlabState, Window


class Redo:
    """The lost units of one pass, and the slabs that are read again for them."""

    def __init__(self) -> None:
        self._units: deque[Unit] = deque()
        self._slabs: deque[Slab] = deque()
        self._lost: defaultdict[int, list[Unit]] = defaultdict(list)  # by window, for want of slabs
        self._waiting: list[tuple[int, Window]] = []
        self._begun: set[int] = set()  # windows whose slabs are being read again

    def unit_lost(self, unit: Unit) -> None:
        """It has to be made, as soon as its window's slabs are there."""
        unit.state = UnitState.LOST
        window = unit.window
        if not window.missing:
            self._units.append(unit)
            return
        if window.seq not in self._lost and window.seq not in self._begun:
            heapq.heappush(self._waiting, (window.seq, window))
        self._lost[window.seq].append(unit)

    def slab_lost(self, slab: Slab) -> None:
        """A slab that was read before, and whose window is waited for, has to be read again."""
        slab.state = SlabState.WANTED
        self._slabs.append(slab)

    def slab_gone(self, slab: Slab) -> None:
        """A slab of a known window is there no more."""
        slab.state = SlabState.GONE
        slab.window.missing += 1
        if slab.window.seq in self._begun:
            self.slab_lost(slab)

    def slab_back(self, slab: Slab) -> None:
        """A slab of a known window is there again."""
        window = slab.window
        window.missing -= 1
        if not window.missing:
            self._begun.discard(window.seq)
            self._units.extend(self._lost.pop(window.seq, ()))

    def next_slab(self, *, has_room: bool) -> Slab | None:
        """A slab to read again."""
        if not self._slabs and self._waiting and (has_room or not self._begun):
            _, window = heapq.heappop(self._waiting)
            self._begun.add(window.seq)
            for slab in window.slabs.values():
                if slab.state is SlabState.GONE:
                    self.slab_lost(slab)
        return self._slabs.popleft() if self._slabs else None

    def next_unit(self) -> Unit | None:
        """A unit to make, whose window's slabs are all there."""
        while self._units:
            unit = self._units.popleft()
            if not unit.window.missing:
                return unit
            self.unit_lost(unit)
        return None
