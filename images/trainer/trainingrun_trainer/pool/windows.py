"""Slabs, windows and groups: how far each bundle has been read, and which windows are known whole.

Only what has been read and what may be read next; when to read it is decided in `passes`. Pure.
"""

from __future__ import annotations

import enum
import heapq

from trainingrun_trainer.data.slabs import Bundle, SlabReport
from trainingrun_trainer.pool.tasks import TaskId, WindowId


class SlabState(enum.Enum):
    """Where a slab stands. GONE: its object was let go or lost, and it would have to be read again."""

    WANTED = "Wanted"
    READING = "Reading"
    READ = "Read"
    PREPARING = "Preparing"
    HELD = "Held"
    GONE = "Gone"


class Slab:
    """One slab. `report` is that of the read task; of its rows as units get them, `kept` are left of `places`."""

    __slots__ = (
        "counted",
        "deaths",
        "error",
        "is_known",
        "kept",
        "object",
        "place",
        "places",
        "report",
        "size_bytes",
        "state",
        "window",
    )

    def __init__(self, window: Window, place: int):
        self.window = window
        self.place = place
        self.state = SlabState.WANTED
        self.object: TaskId | None = None
        self.size_bytes = 0
        self.kept = 0
        self.places = 0
        self.report: SlabReport | None = None
        self.counted = 0  # rows by which it counts as read ahead
        self.is_known = False  # whether it has been ready once
        self.deaths = 0
        self.error: Exception | None = None

    @property
    def bundle(self) -> Bundle:
        """What it is a part of."""
        return self.window.group.bundles[self.place]


class Window:
    """The k-th slabs of a group. `seq` counts windows of the pass in order, once it is known whole.

    `rows` are its places, also those of rows that are used; none if nothing is left.
    """

    __slots__ = (
        "error",
        "group",
        "missing",
        "number",
        "open_shares",
        "rows",
        "seq",
        "size_bytes",
        "slabs",
        "unmade",
        "untaken",
    )

    def __init__(self, group: Group, number: int):
        self.group = group
        self.number = number
        self.slabs: dict[int, Slab] = {}
        self.seq = -1
        self.rows = 0
        self.size_bytes = 0
        self.error: Exception | None = None
        self.open_shares = 0
        self.unmade = 0
        self.untaken = 0
        self.missing = 0

    @property
    def id(self) -> WindowId:
        """(group, slab)."""
        return self.group.index, self.number

    def inputs(self) -> tuple[TaskId, ...]:
        """The objects of its slabs that have rows, in the order of the group's bundles."""
        slabs = (self.slabs[place] for place in sorted(self.slabs))
        return tuple(slab.object for slab in slabs if slab.object is not None)

    def __lt__(self, other: Window) -> bool:
        return self.seq < other.seq

    def complete(self, seq: int, ranks: int) -> None:
        """All slabs are there. With one that failed, the window's rows are none and its error that of the first."""
        self.seq, self.open_shares = seq, ranks
        slabs = [self.slabs[place] for place in sorted(self.slabs)]
        self.error = next((slab.error for slab in slabs if slab.error is not None), None)
        has_left = not self.error and any(slab.kept for slab in slabs)
        self.rows = sum(slab.places for slab in slabs) if has_left else 0
        self.size_bytes = sum(slab.size_bytes for slab in slabs)


class Group:
    """Bundles that are read side by side. `ahead` counts rows that are read, or expected, and not cut yet."""

    def __init__(self, index: int, bundles: tuple[Bundle, ...]):
        self.index = index
        self.bundles = bundles
        self.windows: list[Window] = []
        self.ahead = 0
        # The worker that has each bundle open where its next slab begins.
        self.readers: dict[int, str] = {}
        self._wanted = [(0, place) for place in range(len(bundles))]
        self._latest = -1  # the latest window of which a slab was begun
        self._ends = [0]  # how many bundles end with window k
        self._arrived = [0]  # how many slabs of window k are ready
        self._unread = len(bundles)
        self._known = 0  # windows that are known whole
        self._ended = 0  # bundles that end before window `_known`

    @property
    def is_read(self) -> bool:
        """Whether every bundle has been read to its end."""
        return not self._unread

    @property
    def is_known(self) -> bool:
        """Whether every window was given out by `next_known`."""
        return self._ended == len(self.bundles)

    @property
    def has_wanted(self) -> bool:
        """Whether a slab can be read now."""
        return bool(self._wanted)

    @property
    def is_begun(self) -> bool:
        """Whether the next slab to read completes a window that was begun."""
        return bool(self._wanted) and self._wanted[0][0] <= self._latest

    @property
    def blocks(self) -> bool:
        """Whether the next slab to read is one for which the group's first window that is not known waits."""
        return bool(self._wanted) and self._wanted[0][0] == self._known

    def take_wanted(self) -> Slab:
        """The slab to read next; it is no longer wanted."""
        number, place = heapq.heappop(self._wanted)
        self._latest = max(self._latest, number)
        while len(self.windows) <= number:
            self.windows.append(Window(self, len(self.windows)))
            self._ends.append(0)
            self._arrived.append(0)
        window = self.windows[number]
        return window.slabs.setdefault(place, Slab(window, place))

    def put_back(self, slab: Slab) -> None:
        """Its task is lost: it has to be read all the same."""
        heapq.heappush(self._wanted, (slab.window.number, slab.place))

    def note_read(self, slab: Slab, has_more: bool) -> None:
        """A slab was read for the first time, or cannot be."""
        number = slab.window.number
        if has_more:
            heapq.heappush(self._wanted, (number + 1, slab.place))
        else:
            self._ends[number] += 1
            self._unread -= 1

    def note_ready(self, slab: Slab) -> None:
        """Units can be made of a slab, for the first time, or never."""
        self._arrived[slab.window.number] += 1

    def next_known(self) -> Window | None:
        """The next window in order of which all slabs have arrived, each once; None if there is none."""
        known = self._known
        if self.is_known or self._arrived[known] + self._ended < len(self.bundles):
            return None
        self._known += 1
        self._ended += self._ends[known]
        return self.windows[known]
