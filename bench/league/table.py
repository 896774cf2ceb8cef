"""Writes the league's table in bench/README.md from the results that are checked in."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

_BEGIN, _END = "<!-- league: written by `make league` -->", "<!-- end of league -->"
_COLUMNS = (
    "loader",
    "JPEG/s per core",
    "first batch",
    "memory",
    "raw rows/s per core",
    "first batch",
    "memory",
    "lost/repeated, not killed",
    "kills",
    "lost/repeated",
    "next batch",
    "lost/repeated, other workers",
)


def write_table(folder: Path) -> None:
    """Replace the table in folder/README.md with that of folder/league/results, the fastest on JPEGs first."""
    results = [json.loads(path.read_text()) for path in sorted((folder / "league" / "results").glob("*.json"))]
    results.sort(key=lambda result: -result.get("jpeg", {}).get("rowsPerSecondPerCore", 0))
    lines = [_line(_COLUMNS), _line("---" for _ in _COLUMNS), *(_line(_row(result)) for result in results)]
    readme = folder / "README.md"
    before, _, rest = readme.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    readme.write_text(before + "\n\n".join([_BEGIN, "\n".join(lines), _END]) + after)


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _row(result: dict[str, Any]) -> list[str]:
    title = f"{result['title']} {result['version']}".strip()
    if "cannotInstall" in result:
        return [title, f"not installed: {result['cannotInstall']}", *("" for _ in _COLUMNS[2:])]
    kills, other = result["kills"], result["otherWorkers"]
    return [
        title,
        *_speed(result["jpeg"]),
        *_speed(result["raw"]),
        _count(result["raw"]),
        str(kills.get("kills", "")),
        _count(kills),
        f"{statistics.median(kills['seconds']):.1f} s" if kills.get("seconds") else "-",
        "starts over" if other is None else _count(other),
    ]


def _speed(part: dict[str, Any]) -> list[str]:
    if "failed" in part:
        return ["failed", "-", "-"]
    return [
        f"{part['rowsPerSecondPerCore']:,.0f}",
        f"{part['firstBatchSeconds']:.1f} s",
        f"{part['peakMiB']:,.0f} MiB",
    ]


def _count(part: dict[str, Any]) -> str:
    return f"failed: {part['failed']}" if "failed" in part else f"{part['lost']:,}/{part['repeated']:,}"
