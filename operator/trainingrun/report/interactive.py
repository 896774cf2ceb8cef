"""What the page's script draws: the same curves as plain numbers, and the script with the digest that allows it.

The page's policy admits no other script, so that nothing in a run's records can ever be one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from trainingrun.report.axes import drawable
from trainingrun.report.series import Sample

# JSON of one chart.
ChartData = dict[str, Any]

_MOST_POINTS = 600
_FOLDER = files("trainingrun.report") / "templates"


def chart_data(
    title: str,
    curves: Sequence[tuple[str, str, Sequence[Sample]]],
    *,
    marks: Iterable[tuple[str, str, Sample]] = (),
    logarithmic: bool = False,
) -> ChartData:
    """One chart. `curves` are (label, look, samples in the order of steps), `marks` events as (label, look, sample)."""
    return {
        "title": title,
        "log": logarithmic,
        "curves": [
            {"label": label, "look": look, **_columns(_thinned(samples))} for label, look, samples in curves if samples
        ],
        "marks": [{"label": label, "look": look, **_columns([sample])} for label, look, sample in marks],
    }


def script_data(charts: dict[str, ChartData]) -> str:
    """All charts by their names, as JSON that can stand in a page: nothing in it ends an element or begins one."""
    text = json.dumps(charts, separators=(",", ":"), allow_nan=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


@cache
def script() -> str:
    """The page's script: uPlot with its licence, and what makes charts with it."""
    licence, library, own = (
        (_FOLDER / name).read_text(encoding="utf-8")
        for name in ("uplot/LICENSE", "uplot/uPlot.iife.min.js", "charts.js")
    )
    return f"/*\n{licence}*/\n{library}\n{own}"


@cache
def script_digest() -> str:
    """The script's digest, as a policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()}"


@cache
def script_style() -> str:
    """The library's style sheet."""
    return (_FOLDER / "uplot/uPlot.min.css").read_text(encoding="utf-8")


def _columns(samples: Sequence[Sample]) -> dict[str, list[float | None]]:
    return {
        "step": [_rounded(sample.step, 12) for sample in samples],
        "epoch": [_rounded(sample.epoch, 6) for sample in samples],
        "time": [_rounded(sample.seconds, 7) for sample in samples],
        "y": [_rounded(sample.value, 5) if drawable(sample.value) else None for sample in samples],
    }


def _rounded(value: float, digits: int) -> float | None:
    if not drawable(value):
        return None
    number = float(f"{value:.{digits}g}")
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _thinned(samples: Sequence[Sample]) -> list[Sample]:
    """At most so many samples: of equal stretches the lowest and the highest, so that no peak is lost."""
    if len(samples) <= _MOST_POINTS:
        return list(samples)
    stretches = _MOST_POINTS // 2
    kept = {0, len(samples) - 1}
    for stretch in range(stretches):
        part = range(stretch * len(samples) // stretches, (stretch + 1) * len(samples) // stretches)
        # Values that are not finite make gaps, which are kept as well.
        kept |= {min(part, key=lambda at: _height(samples[at])), max(part, key=lambda at: _height(samples[at]))}
    return [samples[at] for at in sorted(kept)]


def _height(sample: Sample) -> float:
    return sample.value if drawable(sample.value) else float("inf")
