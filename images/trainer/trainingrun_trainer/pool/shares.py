"""Cuts each rank's shares of the known windows into units, evenly over the ranks, as workers become free.

A rank's units follow one another in the order of its rows, whatever is cut for the others. Pure.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from trainingrun_trainer.data.mixing import share_of
from trainingrun_trainer.pool.units import RankUnits, Unit
from trainingrun_trainer.pool.windows import Window

# Rows for the next unit, of so many that its rank still has in the window.
RowsOf = Callable[[Window, int], int]


class Shares:
    """Where each rank is. `known_rows` counts rows of known windows that are not cut, `units` what was cut."""

    def __init__(self, world_size: int):
        self.ranks = [RankUnits(rank) for rank in range(world_size)]
        self.windows: dict[int, Window] = {}  # those with rows that are not taken
        self.known_rows = 0
        self.units = 0
        self.starving = dict.fromkeys(range(world_size))
        self._known = 0
        self._is_over = False
        self._uncut = world_size
        self._next: list[tuple[int, int, int]] = []  # (window, offset, rank), also those that are outdated
        self._parked = list(range(world_size))
        self._closed: list[Window] = []

    @property
    def is_all_cut(self) -> bool:
        """Whether nothing is left to cut."""
        return not self._uncut

    def add(self, window: Window) -> None:
        """The next known window."""
        window.complete(self._known, len(self.ranks))
        if window.rows or window.error:
            self.windows[self._known] = window
            self._known += 1
            self.known_rows += window.rows
            self._seek_parked()
        else:
            window.open_shares = 0
            self._closed.append(window)

    def end(self) -> None:
        """No window follows."""
        self._is_over = True
        self._seek_parked()

    def closed(self) -> list[Window]:
        """Windows that have been cut whole since the last call."""
        closed, self._closed = self._closed, []
        return closed

    def cut_starving(self, rows_of: RowsOf, *, is_first: bool = False) -> Unit | None:
        """A unit for a rank that has none left, if its window's slabs are there; with `is_first` only its first one."""
        for rank in self.starving:
            state = self.ranks[rank]
            if is_first and state.cut:
                continue
            window = self.windows.get(state.window)
            if window is not None and not window.missing:
                return self._cut(state, window, rows_of(window, self._rest(state)))
        return None

    def cut_next(self, rows_of: RowsOf, most_rows: Callable[[Window], float]) -> Unit | None:
        """A unit for the rank that is least far, unless it had more than `most_rows` rows."""
        while self._next:
            seq, offset, rank = self._next[0]
            state = self.ranks[rank]
            if (state.window, state.offset) != (seq, offset) or state.has_failed:
                heapq.heappop(self._next)
                continue
            window = self.windows[seq]
            rows = rows_of(window, self._rest(state))
            if window.missing or rows > most_rows(window):
                return None
            return self._cut(state, window, rows)
        return None

    def took(self, unit: Unit) -> None:
        """A rank has taken it."""
        state = self.ranks[unit.rank]
        state.taken += 1
        self.check_starving(state)

    def check_starving(self, state: RankUnits) -> None:
        """Note whether a rank has nothing left."""
        if state.is_starving:
            self.starving[state.rank] = None
        else:
            self.starving.pop(state.rank, None)

    def forget(self, unit: Unit) -> None:
        """A taken unit's object was let go: nothing of it is needed any more."""
        self.ranks[unit.rank].units.pop(unit.number)
        unit.window.untaken -= 1
        self.forget_window(unit.window)

    def forget_window(self, window: Window) -> None:
        """Let a window go that is taken whole."""
        if not window.untaken and not window.open_shares:
            self.windows.pop(window.seq, None)

    def _rest(self, state: RankUnits) -> int:
        return len(state.share) - state.offset

    def _cut(self, state: RankUnits, window: Window, rows: int) -> Unit:
        unit = state.add(window, state.share[state.offset : state.offset + rows])
        self.units += 1
        self.known_rows -= rows
        window.unmade += 1
        window.untaken += 1
        if state.offset == len(state.share):
            self._close(state, window)
            self._seek(state)
        else:
            heapq.heappush(self._next, (state.window, state.offset, state.rank))
        self.check_starving(state)
        return unit

    def _close(self, state: RankUnits, window: Window) -> None:
        window.open_shares -= 1
        state.window, state.offset = state.window + 1, 0
        if not window.open_shares:
            self._closed.append(window)

    def _seek_parked(self) -> None:
        parked, self._parked = self._parked, []
        for rank in parked:
            self._seek(self.ranks[rank])
            self.check_starving(self.ranks[rank])

    def _seek(self, state: RankUnits) -> None:
        """Have a rank stand at its next share that has rows."""
        while state.window < self._known:
            window = self.windows[state.window]
            if window.error is not None:
                state.error = window.error
                self._uncut -= 1
                return
            state.share = share_of(window.id, window.rows, state.rank, len(self.ranks))
            if state.share:
                heapq.heappush(self._next, (state.window, 0, state.rank))
                return
            self._close(state, window)
            self.forget_window(window)
        if self._is_over:
            state.is_all_cut = True
            self._uncut -= 1
        else:
            self._parked.append(state.rank)
