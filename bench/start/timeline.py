"""One start, as it is kept and drawn: its processes, when each of them worked, and the stages that it told of."""

from __future__ import annotations

import itertools
from typing import Any, TypedDict

from bench.start.sampling import Process

_SLICE_SECONDS = 0.25


class Row(TypedDict):
    """A process: seconds since the command, CPU seconds, and the share of a core in each slice of its life."""

    name: str
    began: float
    ended: float
    cpuSeconds: float
    shares: list[float]


class Timeline(TypedDict):
    """`marks` are (seconds since the command, what happened). `cpuSeconds` are those of the whole run."""

    firstStep: float
    cpuSeconds: float
    cpuSecondsToFirstStep: float
    processes: int
    sliceSeconds: float
    marks: list[tuple[float, str]]
    rows: list[Row]


def timeline(processes: list[Process], first_step: float, marks: list[tuple[float, str]]) -> Timeline:
    """What was seen of a start whose first step began `first_step` seconds after the command."""
    return {
        "firstStep": first_step,
        "cpuSeconds": sum(process.cpu() for process in processes),
        "cpuSecondsToFirstStep": sum(process.cpu(first_step) for process in processes),
        "processes": len(processes),
        "sliceSeconds": _SLICE_SECONDS,
        "marks": sorted([*marks, (first_step, "first step")]),
        "rows": [_row(process) for process in processes],
    }


def summary(found: Timeline) -> dict[str, Any]:
    """Its numbers, without what is only drawn."""
    return {key: found[key] for key in ("firstStep", "cpuSeconds", "cpuSecondsToFirstStep", "processes")}


def _row(process: Process) -> Row:
    slices = int((process.ended - process.began) / _SLICE_SECONDS) + 1
    edges = [process.began + _SLICE_SECONDS * number for number in range(slices + 1)]
    used = [process.cpu(edge) for edge in edges]
    return {
        "name": process.name,
        "began": process.began,
        "ended": process.ended,
        "cpuSeconds": process.cpu(),
        "shares": [(after - before) / _SLICE_SECONDS for before, after in itertools.pairwise(used)],
    }
