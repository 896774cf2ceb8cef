"""What the pool is seen to do: its rates, the cost of its stages, and what waits. For sizing it, and for people.

Values and sums; the time is an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

_SECONDS = 10


@dataclass(frozen=True)
class StageFigures:
    """Moving averages of what a row costs in a stage; None until it was measured."""

    seconds_per_row: float | None
    bytes_per_row: float | None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A moment of the pool.

    `busy_seconds` of the `worker_seconds` that there were since the start, a worker had a task; `busy_share` is the
    same of the last ten seconds, as is `rows_per_second`, counted in rows that transforms were given, as are all here:
    `rows_made` and `rows_taken` by ranks since the start, of passes of which nothing is kept. `stages` is by dataset
    and "Read", "Prepare" or "Make", `seconds_by_step` a row's, by dataset and step.
    `ranks_waiting` have no unit ready in a pass that has begun; `has_work_waiting` if another worker had work now.
    """

    workers: int
    busy_share: float
    busy_seconds: float
    worker_seconds: float
    rows_per_second: float
    rows_made: int
    rows_taken: int
    stages: Mapping[tuple[str, str], StageFigures]
    seconds_by_step: Mapping[tuple[str, str], float]
    units_ready: int
    units_in_flight: int
    reads_in_flight: int
    has_work_waiting: bool
    bytes_held: int
    budget_bytes: int
    ranks_waiting: int


@dataclass
class _Second:
    start: float
    busy: float = 0.0
    there: float = 0.0
    rows: int = 0


class Meter:
    """Sums over workers and rows, of the whole time and of the last ten seconds."""

    def __init__(self) -> None:
        self.busy_seconds = 0.0
        self.worker_seconds = 0.0
        self._seconds: deque[_Second] = deque()
        self._last: float | None = None

    def tick(self, now: float, *, busy: int, workers: int) -> None:
        """Since the last tick, `busy` of `workers` workers have had something to do."""
        passed = 0.0 if self._last is None else max(0.0, now - self._last)
        self._last = now
        self.busy_seconds += passed * busy
        self.worker_seconds += passed * workers
        if not self._seconds or now - self._seconds[-1].start >= 1.0:
            self._seconds.append(_Second(now))
        while now - self._seconds[0].start > _SECONDS and len(self._seconds) > 1:
            self._seconds.popleft()
        self._seconds[-1].busy += passed * busy
        self._seconds[-1].there += passed * workers

    def note_rows(self, rows: int) -> None:
        """So many rows were made since the last tick."""
        self._seconds[-1].rows += rows

    def busy_share(self) -> float:
        """The share of the last seconds, from 0 to 1."""
        there = sum(second.there for second in self._seconds)
        return sum(second.busy for second in self._seconds) / there if there else 0.0

    def rows_per_second(self, now: float) -> float:
        """Rows made in the last seconds."""
        passed = now - self._seconds[0].start if self._seconds else 0.0
        return sum(second.rows for second in self._seconds) / max(passed, 1.0)
