"""Fewer points with the same picture: what a chart shows of thousands of measurements.

A stretch keeps its first, lowest, highest and last point, so no spike can disappear and none is made up.
"""

from __future__ import annotations

from collections.abc import Sequence

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
