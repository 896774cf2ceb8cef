"""Draws starts from the results that are checked in: a row for each process, darker where it works, marks above.

Who waits for whom shows as rows that are pale until another row ends.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from bench.start.timeline import Timeline

_FIGURE = "start"
_LEFT, _WIDTH, _ROW, _TOP = 210, 760, 17, 76
_STYLE = """text{font:12px sans-serif;fill:#444}.title{font-weight:600;fill:#111}.mark{stroke:#d1242f;stroke-width:1}
.marked{fill:#d1242f;font-size:11px}.life{fill:#dbe7fb}.work{fill:#1f6feb}.tick{stroke:#ddd}.paper{fill:#fff}"""


def write_drawing(folder: Path) -> None:
    """Write folder/results/start.svg, if that figure has been measured."""
    results = folder / "results" / f"{_FIGURE}.json"
    if results.exists():
        drawn = json.loads(results.read_text())["raw"]["drawn"]
        results.with_suffix(".svg").write_text(svg({title: drawn[title] for title in drawn}))


def svg(timelines: dict[str, Timeline]) -> str:
    """The timelines below one another, by title, on one scale."""
    seconds = max(row["ended"] for each in timelines.values() for row in each["rows"])
    parts, height = [], 0
    for title, each in timelines.items():
        parts.append(f'<g transform="translate(0 {height})">{_panel(title, each, seconds)}</g>')
        height += _TOP + _ROW * len(each["rows"]) + 24
    width = _LEFT + _WIDTH + 20
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
            "<title>The processes of a start, from the command to the end of the run</title>",
            f'<style>{_STYLE}</style><rect class="paper" width="{width}" height="{height}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _panel(title: str, found: Timeline, seconds: float) -> str:
    scale, bottom = _WIDTH / seconds, _TOP + _ROW * len(found["rows"])
    caption = (
        f"{title}: first step after {found['firstStep']:.1f} s, {found['cpuSeconds']:.0f} s of CPU, "
        f"{found['processes']} processes"
    )
    parts = [f'<text class="title" x="8" y="18">{escape(caption)}</text>']
    step = next(step for step in (1, 2, 5, 10, 20, 50) if seconds / step <= 14)
    for second in range(0, int(seconds) + 1, step):
        x = _LEFT + second * scale
        parts.append(f'<path class="tick" d="M{x:.1f} {_TOP - 4}V{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{second} s</text>')
    for number, row in enumerate(found["rows"]):
        y, left = _TOP + _ROW * number, _LEFT + row["began"] * scale
        life = (row["ended"] - row["began"]) * scale
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 12}" text-anchor="end">{escape(row["name"])} '
            f"({row['cpuSeconds']:.1f} s)</text>"
        )
        parts.append(f'<rect class="life" x="{left:.1f}" y="{y + 2}" width="{life:.1f}" height="{_ROW - 4}"/>')
        width = found["sliceSeconds"] * scale
        parts += [
            f'<rect class="work" x="{left + slice_ * width:.1f}" y="{y + 2}" width="{width:.1f}" '
            f'height="{_ROW - 4}" fill-opacity="{min(share, 1):.2f}"/>'
            for slice_, share in enumerate(row["shares"])
            if share >= 0.05
        ]
    for number, (at, what) in enumerate(found["marks"]):
        x, y = _LEFT + at * scale, 32 + 11 * (number % 4)
        parts.append(f'<path class="mark" d="M{x:.1f} {y}V{bottom}"/>')
        parts.append(f'<text class="marked" x="{x + 3:.1f}" y="{y + 4}">{escape(what)}</text>')
    return "\n".join(parts)
