"""What a start of the operator costs with ever more runs that train, and whether it writes where nothing has changed.

Each run has a RayJob, a RayCluster and four pods. The operator has seen them all before: what is measured is the
start of a replica that finds everything as it should be.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from typing import Any

from bench.control_plane.audit import AuditLog
from bench.control_plane.measured_operator import MeasuredOperator, running_operator
from bench.control_plane.plane import USER, ControlPlane, admin_client, control_plane, make_namespace
from bench.control_plane.runs import run_names, write_training_runs
from bench.result import Measure, Result
from bench.workspace import Workspace

SIZES, _QUICK_SIZES = (1000, 2000, 5000, 10_000), (25, 50)
_STEADY_SECONDS, _QUICK_STEADY_SECONDS = 60.0, 3.0


def measure(rounds: int, workspace: Workspace) -> Result:
    """Starts on one plane that is filled step by step, and a minute of rest at the first size."""
    sizes = _QUICK_SIZES if workspace.is_quick else SIZES
    rest = _QUICK_STEADY_SECONDS if workspace.is_quick else _STEADY_SECONDS
    starts: dict[int, list[dict[str, float]]] = {}
    with control_plane(workspace.folder / "scale") as plane:
        namespace = make_namespace(plane, "scale")
        for before, size in zip((0, *sizes), sizes, strict=False):
            asyncio.run(_fill(plane, namespace, run_names(before, size)))
            with running_operator(plane, size):
                pass
            starts[size] = [_start(plane, size) for _ in range(rounds)]
            if size == sizes[0]:
                steady = _rest(plane, size, rest)
    measures = [measure for size in sizes for measure in _of_size(size, starts[size])]
    measures += [
        Measure("operator_restart_writes", "writes of a restart that finds nothing changed", "writes", _writes(starts)),
        Measure("operator_steady_writes", f"writes in a steady minute, {sizes[0]:,} runs", "writes", steady["writes"]),
        Measure("operator_steady_cpu", f"CPU in a steady minute, {sizes[0]:,} runs", "s", steady["cpuSeconds"]),
        *_growths(starts),
    ]
    return Result("operator_scale", measures, {"starts": {str(size): values for size, values in starts.items()}})


async def _fill(plane: ControlPlane, namespace: str, names: list[str]) -> None:
    async with admin_client(plane) as client:
        await write_training_runs(client, namespace, names)


def _start(plane: ControlPlane, runs: int) -> dict[str, float]:
    log, operator = AuditLog(plane), MeasuredOperator(plane)
    try:
        seconds = operator.start_in_sync(runs)
        costs = {
            "seconds": seconds,
            "cpuSeconds": operator.cpu_seconds,
            "residentMiB": operator.resident_mib,
            "peakMiB": operator.peak_mib,
        }
    finally:
        operator.end()
    return {**costs, "writes": len(log.writes(USER))}


def _rest(plane: ControlPlane, runs: int, seconds: float) -> dict[str, list[float]]:
    """Writes and CPU seconds while nothing happens."""
    with running_operator(plane, runs) as operator:
        log, before = AuditLog(plane), operator.cpu_seconds
        time.sleep(seconds)
        return {"writes": [len(log.writes(USER))], "cpuSeconds": [operator.cpu_seconds - before]}


def _of_size(size: int, starts: list[dict[str, float]]) -> list[Measure]:
    def row(name: str, title: str, unit: str, key: str) -> Measure:
        return Measure(f"operator_{name}_{size}", f"{title}, {size:,} runs", unit, [start[key] for start in starts])

    return [
        row("start", "start until in sync", "s", "seconds"),
        row("start_cpu", "CPU of a start until in sync", "s", "cpuSeconds"),
        row("resident", "resident memory when in sync", "MiB", "residentMiB"),
        row("peak", "most resident memory of a start", "MiB", "peakMiB"),
    ]


def _writes(starts: dict[int, list[dict[str, float]]]) -> list[float]:
    return [start["writes"] for values in starts.values() for start in values]


def _growths(starts: dict[int, list[dict[str, Any]]]) -> list[Measure]:
    """The power of the number of runs with which costs grow: 1 is linear, less is better."""
    titles = {"seconds": "time until in sync", "cpuSeconds": "CPU until in sync", "residentMiB": "resident memory"}
    names = {"seconds": "start", "cpuSeconds": "start_cpu", "residentMiB": "resident"}
    sizes = [math.log(size) for size in starts]
    return [
        Measure(
            f"operator_{names[key]}_growth",
            f"growth of {title} with runs: the power of their number",
            "",
            [
                statistics.linear_regression(sizes, [math.log(start[key]) for start in round_]).slope
                for round_ in zip(*starts.values(), strict=True)
            ],
        )
        for key, title in titles.items()
    ]
