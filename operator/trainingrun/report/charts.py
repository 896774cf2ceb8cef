"""What a chart is to the template: finished shapes, labels and an equal table; all numbers are words by then.

Shapes are SVG path data in a plane of 1000 by 1000 that is stretched to the chart's size; y grows downwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from trainingrun.report.axes import Axis
from trainingrun.report.interactive import ChartData

PLANE = 1000.0
_STRETCHES = 240


@dataclass(frozen=True)
class Shape:
    """One SVG path: its look (a CSS class), its data, and words that appear when it is pointed at."""

    look: str
    data: str
    hint: str = ""


@dataclass(frozen=True)
class Label:
    """Words beside an axis, at a position in percent of its length from the left or the top."""

    position: str
    text: str


@dataclass(frozen=True)
class Table:
    """Rows of finished words. `numeric` names the columns (by index) that are set flush right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[int] = frozenset()
    emphasized: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Chart:
    """A figure: everything that the template draws, top to bottom; `data` is for those who can point at it."""

    name: str
    title: str
    description: str
    unit: str
    shapes: Sequence[Shape]
    x_labels: Sequence[Label]
    y_labels: Sequence[Label]
    legend: Sequence[tuple[str, str]]
    table: Table
    height: int = 220
    notes: Sequence[str] = field(default_factory=list)
    data: ChartData | None = None


def place_x(axis: Axis, value: float) -> float:
    """The x coordinate of a value."""
    return axis.at(value) * PLANE


def place_y(axis: Axis, value: float) -> float:
    """The y coordinate of a value."""
    return (1 - axis.at(value)) * PLANE


def x_labels(axis: Axis) -> list[Label]:
    """The ticks of a horizontal axis."""
    return [Label(f"{fraction * 100:.2f}", text) for fraction, text in axis.ticks]


def y_labels(axis: Axis) -> list[Label]:
    """The ticks of a vertical axis."""
    return [Label(f"{(1 - fraction) * 100:.2f}", text) for fraction, text in axis.ticks]


def grid(axis: Axis) -> Shape:
    """Horizontal lines at the ticks of the vertical axis."""
    lines = (f"M0 {(1 - fraction) * PLANE:.1f}h{PLANE:.0f}" for fraction, _ in axis.ticks)
    return Shape("grid", "".join(lines))


def line(look: str, segments: Iterable[Sequence[Point]], x: Axis, y: Axis) -> list[Shape]:
    """A line through each segment, with a gap between segments; a segment of one point is a dot."""
    lines, lone = [], []
    for segment in segments:
        placed = [(place_x(x, a), place_y(y, b)) for a, b in thin(segment, _STRETCHES)]
        if len(placed) == 1:
            lone.append(placed[0])
        elif placed:
            lines.append("M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in placed))
    shapes = [Shape(f"line {look}", "".join(lines))] if lines else []
    return shapes + ([dots(look, lone)] if lone else [])


def dots(look: str, places: Iterable[tuple[float, float]]) -> Shape:
    """A dot at each place: a line of no length with round ends, because strokes are not stretched."""
    return Shape(f"dot {look}", "".join(f"M{a:.1f} {b:.1f}h0.01" for a, b in places))


def upright(look: str, x: float, hint: str, top: float = 0.0, bottom: float = PLANE) -> Shape:
    """A vertical line that marks an event."""
    return Shape(f"event {look}", f"M{x:.1f} {top:.1f}V{bottom:.1f}", hint)


def box(look: str, left: float, right: float, top: float, bottom: float, hint: str = "") -> Shape:
    """A filled rectangle."""
    return Shape(look, f"M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}z", hint)


Point = tuple[float, float]


def thin(points: Sequence[Point], stretches: int) -> list[Point]:
    """At most four points for each of `stretches` equal parts of the x range, in order; few points all stay.

    `points` must be in the order of x and finite.
    """
    if len(points) <= stretches * 4:
        return list(points)
    low, high = points[0][0], points[-1][0]
    width = (high - low) / stretches or 1.0
    parts: list[list[Point]] = [[] for _ in range(stretches)]
    for point in points:
        parts[min(int((point[0] - low) / width), stretches - 1)].append(point)
    return [point for part in parts if part for point in _outline(part)]


def _outline(part: list[Point]) -> list[Point]:
    values = [value for _, value in part]
    kept = {0, values.index(min(values)), values.index(max(values)), len(part) - 1}
    return [part[index] for index in sorted(kept)]
