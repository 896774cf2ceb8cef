"""What the charts over a run's time share: one axis, and where the work was interrupted.

Lost and repeated work is in these charts, because its time was spent.
"""

from __future__ import annotations

from bisect import bisect_left

from trainingrun.contract.records import Progress
from trainingrun.history import History
from trainingrun.history.figures import finite
from trainingrun.report.axes import Axis, time_axis
from trainingrun.report.charts import Shape, place_x, upright


def run_axis(history: History) -> Axis:
    """The time from the first record to the last."""
    return time_axis(finite(history.seconds) or 0.0)


def begin_of(history: History) -> float:
    """The time of the first record."""
    return history.attempts[0].first_time


def stretches_of(history: History) -> list[list[Progress]]:
    """The reports, split where the attempt or its workers were restarted."""
    restarts = [restart.time for restart in history.worker_restarts]
    parts: dict[tuple[int, int], list[Progress]] = {}
    for report in history.reports:
        parts.setdefault((report.attempt, bisect_left(restarts, report.time)), []).append(report)
    return list(parts.values())


def restart_marks(history: History, x: Axis) -> list[Shape]:
    """Where training resumed after an interruption."""
    return [
        upright("restart", place_x(x, item.time - begin_of(history)), f"restart in attempt {item.attempt}")
        for item in history.resumptions
    ]
