"""The chart of rows per second over a run's time."""

from __future__ import annotations

from trainingrun.contract.records import Progress
from trainingrun.history import History
from trainingrun.history.figures import duration, finite, rate
from trainingrun.report.axes import rate_axis
from trainingrun.report.charts import Chart, Point, Table, grid, line, x_labels, y_labels
from trainingrun.report.over_time import begin_of, restart_marks, run_axis, stretches_of

_MOST_ROWS = 20


def throughput_chart(history: History) -> Chart | None:
    """Rows per second over time; None without a measurement. A pause, also for validation, is a gap."""
    begin = begin_of(history)
    are_recent = any(report.recent_rows_per_second is not None for report in history.reports)
    segments: list[list[Point]] = [[]]
    for stretch in stretches_of(history):
        segments.append([])
        for report in stretch:
            if (measured := _measured(report, are_recent)) is not None:
                segments[-1].append((report.time - begin, measured))
            elif segments[-1]:
                segments.append([])
    points = [point for segment in segments for point in segment]
    if not points:
        return None
    x, y = run_axis(history), rate_axis(max(value for _, value in points))
    size = -(-len(points) // _MOST_ROWS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    rows = [(duration(g[-1][0]), rate(min(v for _, v in g)), rate(max(v for _, v in g))) for g in groups]
    return Chart(
        name="throughput",
        title="Throughput",
        description=f"Rows per second from {rate(points[0][1])} to {rate(points[-1][1])}.",
        unit="rows/s by time since the start",
        shapes=[grid(y), *restart_marks(history, x), *line("train", segments, x, y)],
        x_labels=x_labels(x),
        y_labels=y_labels(y),
        legend=[],
        table=Table(("up to", "lowest", "highest"), rows, frozenset({0, 1, 2})),
        height=150,
    )


def _measured(report: Progress, are_recent: bool) -> float | None:
    rows_per_second = finite(report.recent_rows_per_second if are_recent else report.rows_per_second)
    return rows_per_second if rows_per_second is not None and 0 <= rows_per_second < 1e15 else None
