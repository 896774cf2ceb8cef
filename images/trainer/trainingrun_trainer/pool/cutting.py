"""How many rows a unit has, from what rows were measured to cost: small at first, then as large as is handy.

Pure arithmetic. It never decides which rows, so the order of a pass does not depend on any measurement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# What one unit may return: transfers stay short, and a rank holds little that it does not need yet.
_MOST_BYTES = 16 << 20
# The first units of a pass are small, so that every rank has its first batch soon.
_FIRST_SECONDS = 0.25
_MOST_SECONDS = 1.0
# While rows are short, a read for which all wait may stand behind two units in its worker's queue.
_SHORT_SECONDS = 0.1
# Below this, handing a unit out costs more than an idle worker.
_LEAST_SECONDS = 0.04
# What is cut while nobody knows what a row costs, and how much larger than any before a unit may be.
_UNKNOWN_ROWS = 4
_GROWTH = 4
_WEIGHT = 0.3
# One slow call, such as the first one of a worker, must not make all units tiny.
_LARGEST_JUMP = 3.0


@dataclass
class Cost:
    """What a stage of one dataset costs, as moving averages; None until it was measured. `most_rows` in one task."""

    seconds_per_row: float | None = None
    bytes_per_row: float | None = None
    seconds_per_task: float | None = None
    bytes_per_task: float | None = None
    rows_per_task: float | None = None
    most_rows: int = 0

    def note(self, rows: int, size_bytes: int, seconds: float) -> None:
        """A task has turned `rows` rows into `size_bytes` bytes."""
        self.seconds_per_task = _average(self.seconds_per_task, seconds)
        self.bytes_per_task = _average(self.bytes_per_task, size_bytes)
        self.rows_per_task = _average(self.rows_per_task, rows)
        if rows:
            self.seconds_per_row = _average(self.seconds_per_row, seconds / rows)
            self.bytes_per_row = _average(self.bytes_per_row, size_bytes / rows)
            self.most_rows = max(self.most_rows, rows)


def rows_of_unit(
    cost: Cost, *, units: int, workers: int, rows_ahead: int, rest: int, bytes_per_row: float, is_short: bool
) -> int:
    """Rows of the next unit, at least 1 and at most `rest`, which is what its rank still has in the window.

    `units` were cut in this pass before, `rows_ahead` are there for all workers together, and `bytes_per_row` is
    what a made row is expected to have. `is_short` if workers have to wait for rows to be read.
    """
    rows: float = _UNKNOWN_ROWS
    if cost.seconds_per_row is not None:
        a_row = max(cost.seconds_per_row, 1e-9)
        seconds = _FIRST_SECONDS + (_MOST_SECONDS - _FIRST_SECONDS) * min(1.0, units / (4 * workers))
        if is_short:
            seconds = _SHORT_SECONDS
        # Two units for every worker in what is known, as far as units are not too small for it.
        fair = max(rows_ahead / (2 * workers), _LEAST_SECONDS / a_row)
        rows = min(seconds / a_row, fair, _GROWTH * max(cost.most_rows, _UNKNOWN_ROWS))
    rows = max(1, int(min(rows, _MOST_BYTES / max(bytes_per_row, 1e-9))))
    # In equal parts, so that no scrap is left at the end of a share.
    return math.ceil(rest / math.ceil(rest / rows))


def _average(before: float | None, value: float) -> float:
    if before is None:
        return float(value)
    return before + _WEIGHT * (min(value, _LARGEST_JUMP * before) - before) if before > 0 else float(value)
