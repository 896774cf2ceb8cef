"""Writes the table in bench/README.md from the results that are checked in, so that the two cannot differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bench.result import Measure, Result, read_results

_BEGIN, _END = "<!-- results: written by `make bench` -->", "<!-- end of results -->"
_PLOTS = {
    "operator_scale": "What it costs, by the number of runs",
    "start": "The processes of a start, from the command to the end of the run",
}
_HEAD = "| figure | bar | median [min..max] | verdict |\n| --- | --- | --- | --- |"


def read_limits(folder: Path) -> dict[str, dict[str, float]]:
    """The bars by row: {"atLeast": number} or {"atMost": number}."""
    limits: dict[str, dict[str, float]] = yaml.safe_load((folder / "limits.yaml").read_text())
    return limits


def is_met(measure: Measure, limit: dict[str, float] | None) -> bool | None:
    """Whether the median is within its bar, None where there is none."""
    if limit is None:
        return None
    if "atLeast" in limit:
        return measure.median >= limit["atLeast"]
    return measure.median <= limit["atMost"]


def line(measure: Measure, limit: dict[str, float] | None) -> list[str]:
    """A row of the table: title, bar, values, verdict."""
    bar = "" if limit is None else f"{'≥' if 'atLeast' in limit else '≤'} {next(iter(limit.values())):g}"
    low, middle, high = (_number(value) for value in (min(measure.values), measure.median, max(measure.values)))
    verdict = {None: "reported", True: "met", False: "**missed**"}[is_met(measure, limit)]
    return [measure.title, bar, f"{middle} [{low}..{high}] {measure.unit}", verdict]


def write_summary(folder: Path) -> None:
    """Replace the table in folder/README.md."""
    results, limits = read_results(folder / "results"), read_limits(folder)
    rows = [line(measure, limits.get(measure.name)) for result, _ in results for measure in result.measures]
    table = "\n".join([_HEAD, *(f"| {' | '.join(row)} |" for row in rows)])
    readme = folder / "README.md"
    before, _, rest = readme.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    text = "\n\n".join([_BEGIN, _machines(results), table, *_plots(folder), _END]) if results else f"{_BEGIN}\n\n{_END}"
    readme.write_text(before + text + after)


def _plots(folder: Path) -> list[str]:
    """The plots that have been drawn."""
    return [f"![{_PLOTS[path.stem]}](results/{path.name})" for path in sorted(folder.glob("results/*.svg"))]


def _machines(results: list[tuple[Result, dict[str, Any]]]) -> str:
    """One sentence for each machine that results come from."""
    sentences = []
    for _, machine in results:
        packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
        sentence = (
            f"Measured on {machine['cpus']} CPUs ({machine['cpu']}), {machine['memoryGiB']:g} GiB, "
            f"{machine['system']}, Python {machine['python']}, {packages}."
        )
        if sentence not in sentences:
            sentences.append(sentence)
    return "\n".join(sentences)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
