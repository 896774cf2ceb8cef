"""The chart of data stall by cause over a run's time, and what the causes are called."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from trainingrun.contract.records import Stall
from trainingrun.history import History
from trainingrun.history.advice import CAUSE_MEANINGS
from trainingrun.history.figures import duration, one_line, percent
from trainingrun.history.run import mean_stall
from trainingrun.report.axes import Axis, share_axis
from trainingrun.report.charts import PLANE, Chart, Shape, Table, box, grid, place_y, x_labels, y_labels
from trainingrun.report.over_time import begin_of, restart_marks, run_axis, stretches_of

UNATTRIBUTED = "Not attributed"
_MOST_COLUMNS = 80


def stall_chart(history: History) -> Chart | None:
    """The share of time that was lost to data, by cause, in columns over time; None without a measurement."""
    x = run_axis(history)
    columns = _stall_columns(history, x)
    known = [(index, stall) for index, stall in enumerate(columns) if stall]
    if not known:
        return None
    causes = causes_of([stall for _, stall in known])
    y = share_axis(max(max(stall.total_percent, sum(stall.causes.values())) for _, stall in known))
    width = x.high / len(columns)
    is_recent = any(report.recent_stall for report in history.reports)
    so_far = "" if is_recent else " so far"
    rows = [
        (
            f"{duration(index * width)} to {duration((index + 1) * width)}",
            percent(stall.total_percent),
            *(percent(share_of(stall, cause)) for cause in causes),
        )
        for index, stall in known
    ]
    return Chart(
        name="stall",
        title="Data stall by cause",
        description=f"Share of time spent waiting for data, by cause: {', '.join(map(one_line, causes))}.",
        unit=f"% of the trainers' time{so_far}, by time since the start",
        shapes=[grid(y), *restart_marks(history, x), *_stacks(known, len(columns), causes, y)],
        x_labels=x_labels(x),
        y_labels=y_labels(y),
        legend=[(f"area {look_of(cause)}", one_line(cause)) for cause in causes],
        table=Table(("time", "total", *map(one_line, causes)), rows, frozenset(range(2 + len(causes)))),
        height=180,
    )


def causes_of(stalls: list[Stall]) -> list[str]:
    """The causes that took time: known ones in their order, others by name, then what has no cause."""
    found = {cause for stall in stalls for cause, points in stall.causes.items() if points > 0}
    named = [cause for cause in CAUSE_MEANINGS if cause in found] + sorted(found - set(CAUSE_MEANINGS))
    rest = any(share_of(stall, UNATTRIBUTED) > 0 for stall in stalls)
    return [*named, UNATTRIBUTED] if rest else named


def share_of(stall: Stall, cause: str) -> float:
    """The cause's share in percentage points; for UNATTRIBUTED, what no cause explains."""
    if cause != UNATTRIBUTED:
        return stall.causes.get(cause, 0.0)
    rest = stall.total_percent - sum(stall.causes.values())
    return rest if rest > 0.05 else 0.0


def look_of(cause: str) -> str:
    """The CSS class that colours a cause."""
    return cause.lower() if cause in CAUSE_MEANINGS else "unattributed"


def _stall_columns(history: History, x: Axis) -> list[Stall | None]:
    """The mean stall in equal parts of the time. A report covers the time since the previous one."""
    spans = []
    for stretch in stretches_of(history):
        gaps = [b.time - a.time for a, b in pairwise(stretch)]
        first = stretch[0].time - (median(gaps) if gaps else x.high / _MOST_COLUMNS)
        starts = [first, *(report.time for report in stretch)]
        spans += [
            (start, report.time, stall)
            for start, report in zip(starts, stretch, strict=False)
            if (stall := report.recent_stall or report.stall) is not None
        ]
    number = min(_MOST_COLUMNS, max(len(spans), 1))
    width = x.high / number
    parts: list[list[tuple[Stall, float]]] = [[] for _ in range(number)]
    for start, end, stall in spans:
        left, right = max(start - begin_of(history), 0.0), min(end - begin_of(history), x.high)
        for index in range(int(left / width), min(int(right / width) + 1, number)):
            overlap = min(right, (index + 1) * width) - max(left, index * width)
            if overlap > 0:
                parts[index].append((stall, overlap))
    return [mean_stall(part) for part in parts]


def _stacks(known: list[tuple[int, Stall]], columns: int, causes: list[str], y: Axis) -> list[Shape]:
    data: dict[str, list[str]] = {cause: [] for cause in causes}
    hints = []
    for index, stall in known:
        left, right, height = index * PLANE / columns, (index + 1) * PLANE / columns, 0.0
        for cause in causes:
            bottom, height = height, height + share_of(stall, cause)
            data[cause].append(box("", left, right, place_y(y, height), place_y(y, bottom)).data)
        words = ", ".join(f"{one_line(cause)} {percent(share_of(stall, cause))}" for cause in causes)
        hints.append(box("hint", left, right, 0, PLANE, f"data stall {percent(stall.total_percent)}: {words}"))
    return [Shape(f"area {look_of(cause)}", "".join(parts)) for cause, parts in data.items()] + hints
