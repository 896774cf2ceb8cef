"""How long steps wait for data that could be made half as fast again as they take it, by how it lies in files."""

from __future__ import annotations

import itertools
from pathlib import Path

from bench.figures.fed_steps import device_stall, step_seconds, waits
from bench.pipelines.slow_rows import LAYOUTS, ROWS_PER_CPU, TITLES, make_slow_rows
from bench.result import Measure, Result
from bench.workspace import Workspace

_DATA_CPUS = (2, 8)
_EPOCHS, _EPOCH_SECONDS, _QUICK_SECONDS = 5, 4, 1


def measure(rounds: int, workspace: Workspace) -> Result:
    """A run of five epochs a round. The run's first batch, which waits for workers to start, is left out."""
    measures = []
    for layout, cpus in itertools.product(LAYOUTS, _DATA_CPUS):
        path = _rows(workspace, layout, cpus)
        name = f"supply_stall_{layout}_{cpus}"
        title = f"stall of 5 epochs with half as much again as is needed, {cpus} data CPUs, {TITLES[layout]}"
        measures.append(Measure(name, title, "%", [device_stall(path, _EPOCHS, cpus) for _ in range(rounds)]))
    for cpus in _DATA_CPUS:
        path = _rows(workspace, "one_group", cpus)
        title = f"the same where the process itself computes, {cpus} data CPUs, {TITLES['one_group']}"
        stalls = [_synchronous_stall(waits(path, _EPOCHS, cpus), cpus) for _ in range(rounds)]
        measures.append(Measure(f"supply_stall_synchronous_{cpus}", title, "%", stalls))
    return Result("supply_stall", measures)


def _rows(workspace: Workspace, layout: str, data_cpus: int) -> Path:
    seconds = _QUICK_SECONDS if workspace.is_quick else _EPOCH_SECONDS
    return make_slow_rows(workspace.folder, int(data_cpus * ROWS_PER_CPU * seconds), layout)


def _synchronous_stall(waited: list[list[float]], data_cpus: int) -> float:
    waited[0][0] = 0.0
    lost = sum(map(sum, waited))
    return 100 * lost / (lost + step_seconds(data_cpus) * sum(len(epoch) - 1 for epoch in waited))
