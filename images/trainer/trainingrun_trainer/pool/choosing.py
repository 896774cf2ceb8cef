"""What is new to do for a pass: cut a unit for a rank, or read a slab ahead; and in which order of urgency.

What a rank needs next is made whatever the budget, so that none waits for ever for another's bytes to be freed. Pure.
"""

from __future__ import annotations

from trainingrun_trainer.pool.cutting import Cost, rows_of_unit
from trainingrun_trainer.pool.reading_ahead import ReadingAhead, Room
from trainingrun_trainer.pool.shares import RowsOf, Shares
from trainingrun_trainer.pool.units import Unit
from trainingrun_trainer.pool.windows import Slab, Window

# The share of what should be known ahead below which workers may soon have nothing to do.
_LOW = 1 / 3


class Choosing:
    """See the module. `make` is what making a unit's rows costs."""

    def __init__(self, shares: Shares, reading: ReadingAhead, make: Cost):
        self._shares = shares
        self._reading = reading
        self._make = make

    def next(self, room: Room) -> Slab | Unit | None:
        """A unit that was cut now, or a slab that counts as being read; None if there is nothing, or no room."""
        is_low = self._is_low(room)
        is_short = is_low and self._reading.in_flight > 0
        job = self._job(room, self._rows_of(room, is_short=is_short), is_low=is_low, is_short=is_short)
        if isinstance(job, Unit):
            self._reading.cut(job.window, len(job.positions))
        return job

    def bytes_of(self, unit: Unit) -> float:
        """What a unit is expected to have."""
        return len(unit.positions) * self._bytes_per_row(unit.window)

    def _job(self, room: Room, rows_of: RowsOf, *, is_low: bool, is_short: bool) -> Slab | Unit | None:
        shares, reading = self._shares, self._reading
        job: Slab | Unit | None = shares.cut_starving(rows_of, is_first=is_low)
        if job is None and is_low:
            # Ranks that take whatever is made must not keep workers from reading what all of them need.
            job = reading.next(room) or shares.cut_starving(rows_of)
        if job is None and shares.starving:
            job = reading.needed()
        job = job or reading.next(room)
        if job is None and (room.has_makers or not is_short):
            # Who reads, and is waited for, makes nothing beside it.
            job = shares.cut_next(rows_of, lambda window: room.units / max(self._bytes_per_row(window), 1e-9))
        return job

    def _rows_of(self, room: Room, *, is_short: bool) -> RowsOf:
        def rows_of(window: Window, rest: int) -> int:
            return rows_of_unit(
                self._make,
                units=self._shares.units,
                workers=max(1, room.workers),
                # What is still being read is there in time, unless a worker has nothing to do until then.
                rows_ahead=self._shares.known_rows if room.has_idle else self._reading.ahead,
                rest=rest,
                bytes_per_row=self._bytes_per_row(window),
                is_short=is_short,
            )

        return rows_of

    def _is_low(self, room: Room) -> bool:
        target = self._reading.target(room.workers)
        return target is not None and self._shares.known_rows < _LOW * target

    def _bytes_per_row(self, window: Window) -> float:
        measured = self._make.bytes_per_row
        return window.size_bytes / max(1, window.rows) if measured is None else measured
