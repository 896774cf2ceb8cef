"""Charts of the loss and of each metric over training steps, training and validation in one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from trainingrun.history import History
from trainingrun.history.figures import count, metric, one_line, plural
from trainingrun.report.axes import Axis, drawable, step_axis, value_axis
from trainingrun.report.charts import (
    PLANE,
    Chart,
    Point,
    Shape,
    Table,
    box,
    dots,
    grid,
    line,
    place_x,
    place_y,
    upright,
    x_labels,
    y_labels,
)
from trainingrun.report.interactive import chart_data
from trainingrun.report.series import marks, training_series, validation_series

MOST_CHARTS = 12
_MOST_DOTS = 60
_MOST_COLUMNS = 40


def metric_chart(history: History, name: str, number: int) -> Chart:
    """The curve of one metric. A value that is not finite is a gap with a mark at the bottom."""
    series = training_series(history, name), validation_series(history, name)
    train, validation = ([(sample.step, sample.value) for sample in samples] for samples in series)
    known = [value for _, value in (*train, *validation) if drawable(value)]
    x = step_axis([int(step) for step, _ in (*train, *validation)])
    y = value_axis(known, may_be_logarithmic="loss" in name or "perplexity" in name)
    shapes, event_legend = _events(history, x)
    legend: list[tuple[str, str]] = []
    for look, label, points in (("train", "training", train), ("validation", "validation", validation)):
        if points:
            shapes += line(look, _segments(points), x, y)
            legend.append((f"line {look}", label))
    finite = [(place_x(x, a), place_y(y, b)) for a, b in validation if drawable(b)]
    if finite and len(finite) <= _MOST_DOTS:
        shapes.append(dots("validation", finite))
    lost = sorted({round(place_x(x, step)) for step, value in (*train, *validation) if not drawable(value)})
    if lost:
        shapes.append(Shape("lost", "".join(f"M{place} 975h0.01" for place in lost)))
        legend.append(("lost", "not a finite number"))
    columns = _columns(train, validation)
    shapes += _hints(columns, x)
    title = one_line(name).replace("_", " ")
    labelled = zip(("training", "validation"), ("train", "validation"), series, strict=True)
    return Chart(
        name=f"metric-{number}",
        title=title[:1].upper() + title[1:],
        description=_description(title, train, validation),
        unit="by training step" + (", logarithmic scale" if y.logarithmic else ""),
        shapes=[grid(y), *shapes],
        x_labels=x_labels(x),
        y_labels=y_labels(y),
        legend=[*legend, *event_legend],
        table=Table(("steps", "training", "validation"), [cells for _, _, cells in columns], frozenset({0, 1, 2})),
        data=chart_data(title, list(labelled), marks=marks(history), logarithmic=y.logarithmic),
    )


def _segments(points: Sequence[Point]) -> list[list[Point]]:
    segments: list[list[Point]] = [[]]
    for point in points:
        if drawable(point[1]):
            segments[-1].append(point)
        elif segments[-1]:
            segments.append([])
    return [segment for segment in segments if segment]


def _events(history: History, x: Axis) -> tuple[list[Shape], list[tuple[str, str]]]:
    """Where training resumed after an interruption, and the best checkpoint."""
    shapes, legend = [], []
    for resumption in history.resumptions:
        what = "workers restarted" if resumption.inside_attempt else f"attempt {resumption.attempt} began"
        hint = f"{what} at step {count(resumption.step)}, {plural(resumption.repeated_steps, 'step')} repeated"
        shapes.append(upright("restart", place_x(x, resumption.step), hint))
    if shapes:
        legend.append(("event restart", "restart"))
    best = history.best_checkpoint
    if best:
        shapes.append(upright("best", place_x(x, best.step), f"best checkpoint, step {count(best.step)}"))
        legend.append(("event best", "best checkpoint"))
    return shapes, legend


def _columns(train: list[Point], validation: list[Point]) -> list[tuple[float, float, tuple[str, str, str]]]:
    """Stretches of steps with their values in words, for the hints under the pointer and for the table."""
    steps = sorted({step for step, _ in (*train, *validation)})
    size = -(-len(steps) // _MOST_COLUMNS) or 1
    columns = []
    for start in range(0, len(steps), size):
        low, high = steps[start], steps[min(start + size, len(steps)) - 1]
        name = count(low) if low == high else f"{count(low)} to {count(high)}"
        columns.append((low, high, (name, _range(train, low, high), _range(validation, low, high))))
    return columns


def _range(points: list[Point], low: float, high: float) -> str:
    values = [value for step, value in points if low <= step <= high]
    if not values:
        return "-"
    finite = [value for value in values if drawable(value)]
    if len(finite) < len(values):
        first = metric(next(value for value in values if not drawable(value)))
        return f"{first} ({plural(len(values) - len(finite), 'time')})"
    lowest, highest = metric(min(finite)), metric(max(finite))
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _hints(columns: list[tuple[float, float, tuple[str, str, str]]], x: Axis) -> list[Shape]:
    centres = [place_x(x, (low + high) / 2) for low, high, _ in columns]
    borders = [0.0, *((a + b) / 2 for a, b in pairwise(centres)), PLANE]
    return [
        box("hint", left, right, 0, PLANE, f"step {steps}: training {train}, validation {validation}")
        for (left, right), (_, _, (steps, train, validation)) in zip(pairwise(borders), columns, strict=False)
    ]


def _description(title: str, train: list[Point], validation: list[Point]) -> str:
    parts = [
        f"{label} from {metric(points[0][1])} to {metric(points[-1][1])} in {plural(len(points), 'point')}"
        for label, points in (("training", train), ("validation", validation))
        if points
    ]
    return f"{title}: {'; '.join(parts)}."
