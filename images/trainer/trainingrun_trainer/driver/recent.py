"""Joins what two reports of progress say about the time since the one before, where only the later one goes on.

Pure. Without it, curves would be of every second moment only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainingrun.history.run import mean_stall


def joined(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the record Progress that are about both stretches together; a mapping may lack any of them."""
    parts = (earlier, later)
    seconds = [float(part.get("recent_seconds") or 0.0) for part in parts]
    rows = [(part.get("recent_rows_per_second") or 0.0) * each for part, each in zip(parts, seconds, strict=True)]
    stalls = [
        (part["recent_stall"], each) for part, each in zip(parts, seconds, strict=True) if part.get("recent_stall")
    ]
    both = sum(seconds)
    return {
        "recent_seconds": both if both > 0 else None,
        "recent_rows_per_second": sum(rows) / both if both > 0 else None,
        "recent_stall": mean_stall(stalls),
        "recent_metrics": _means([part.get("recent_metrics") for part in parts], rows),
        "scalars": _means([part.get("scalars") for part in parts], rows) or {},
    }


def _means(values: list[dict[str, float] | None], weights: list[float]) -> dict[str, float] | None:
    known = [(each, weight) for each, weight in zip(values, weights, strict=True) if each is not None]
    if not known:
        return None
    names = dict.fromkeys(name for each, _ in known for name in each)
    return {name: _mean([(each[name], weight) for each, weight in known if name in each]) for name in names}


def _mean(weighted: list[tuple[float, float]]) -> float:
    total = sum(weight for _, weight in weighted)
    return sum(value * weight for value, weight in weighted) / total if total > 0 else weighted[-1][0]
