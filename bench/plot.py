"""Draws how the operator's costs grow with runs, from the results that are checked in, so that the two cannot differ.

Lines are straight where costs are proportional to runs: all axes begin at 0.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from trainingrun.report.axes import Axis, rate_axis, step_axis
from trainingrun.report.charts import PLANE, grid, line, place_x, place_y

_FIGURE = "operator_scale"
_PANELS = (
    ("seconds", "Start until in sync, s"),
    ("cpuSeconds", "CPU until in sync, s"),
    ("residentMiB", "Resident memory, MiB"),
)
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 300, 220, 44, 34, 40
_STYLE = """text{font:12px sans-serif;fill:#444}.title{font-weight:600;fill:#111}
.grid{stroke:#ddd;fill:none;stroke-width:1}.line{stroke:#1f6feb;fill:none;stroke-width:2}
.spread{stroke:#1f6feb;stroke-width:6;stroke-opacity:.3}path{vector-effect:non-scaling-stroke}
rect{fill:#fff}"""


def write_plot(folder: Path) -> None:
    """Write folder/results/operator_scale.svg, if that figure has been measured."""
    results = folder / "results" / f"{_FIGURE}.json"
    if results.exists():
        starts = json.loads(results.read_text())["raw"]["starts"]
        results.with_suffix(".svg").write_text(_svg({int(size): values for size, values in starts.items()}))


def _svg(starts: dict[int, list[dict[str, float]]]) -> str:
    x = step_axis([0, *starts])
    panels = [
        _panel(number * _WIDTH, title, {size: [start[key] for start in values] for size, values in starts.items()}, x)
        for number, (key, title) in enumerate(_PANELS)
    ]
    width = _WIDTH * len(panels)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" role="img">',
            "<title>What a start of the operator costs, by the number of runs</title>",
            f'<style>{_STYLE}</style><rect width="{width}" height="{_HEIGHT}"/>',
            *panels,
            "</svg>\n",
        ]
    )


def _panel(offset: int, title: str, values: dict[int, list[float]], x: Axis) -> str:
    """The medians as a line, and at each size an upright from the least to the most."""
    y = rate_axis(max(max(found) for found in values.values()))
    width, height = _WIDTH - _LEFT - 20, _HEIGHT - _TOP - _BOTTOM
    medians = [(float(size), statistics.median(found)) for size, found in values.items()]
    spreads = "".join(
        f"M{place_x(x, size):.1f} {place_y(y, max(found)):.1f}V{place_y(y, min(found)):.1f}"
        for size, found in values.items()
    )
    shapes = [grid(y), *line("median", [medians], x, y)]
    paths = [f'<path class="{shape.look}" d="{shape.data}"/>' for shape in shapes]
    paths.append(f'<path class="spread" d="{spreads}"/>')
    across = [
        f'<text x="{_LEFT + at * width:.1f}" y="{_TOP + height + 16}" text-anchor="middle">{text}</text>'
        for at, text in x.ticks
    ]
    up = [
        f'<text x="{_LEFT - 6}" y="{_TOP + (1 - at) * height + 4:.1f}" text-anchor="end">{text}</text>'
        for at, text in y.ticks
    ]
    return "\n".join(
        [
            f'<g transform="translate({offset} 0)"><text class="title" x="{_LEFT}" y="20">{title}</text>',
            f'<g transform="translate({_LEFT} {_TOP}) scale({width / PLANE} {height / PLANE})">',
            *paths,
            "</g>",
            *across,
            *up,
            f'<text x="{_LEFT + width / 2}" y="{_HEIGHT - 6}" text-anchor="middle">runs</text></g>',
        ]
    )
