"""How long steps wait for data that could be made half as fast again as they take it, by how it lies in files."""

from __future__ import annotations

from bench.figures.fed_steps import STEP_SECONDS, waits
from bench.pipelines.slow_rows import LAYOUTS, TITLES, make_slow_rows
from bench.result import Measure, Result
from bench.workspace import Workspace

_ROWS, _QUICK_ROWS = 3200, 640


def measure(rounds: int, workspace: Workspace) -> Result:
    """A run of `rounds` epochs for each layout. Of the first one, the wait for its first batch does not count."""
    measures, raw = [], {}
    for layout in LAYOUTS:
        path = make_slow_rows(workspace.folder, _QUICK_ROWS if workspace.is_quick else _ROWS, layout)
        waited = waits(path, rounds)
        raw[layout] = {"firstBatchSeconds": waited[0][0]}
        waited[0][0] = 0.0
        stalls = [100 * sum(epoch) / (sum(epoch) + STEP_SECONDS * (len(epoch) - 1)) for epoch in waited]
        title = f"stall with half as much again as is needed, {TITLES[layout]}"
        measures.append(Measure(f"supply_stall_{layout}", title, "%", stalls))
    return Result("supply_stall", measures, raw)
