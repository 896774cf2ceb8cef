"""How long training waits between an epoch's last step and the first batch of the next one."""

from __future__ import annotations

import itertools

from bench.figures.fed_steps import waits
from bench.pipelines.slow_rows import make_slow_rows
from bench.result import Measure, Result
from bench.workspace import Workspace

_ROWS, _DATA_CPUS = 1600, (2, 8)


def measure(rounds: int, workspace: Workspace) -> Result:
    """As many gaps as rounds, in one run for each number of data CPUs."""
    path = make_slow_rows(workspace.folder, _ROWS, "one_group")
    measures = []
    for cpus in _DATA_CPUS:
        waited = waits(path, rounds + 1, cpus)
        gaps = [before[-1] + after[0] for before, after in itertools.pairwise(waited)]
        title = f"last step of an epoch until the next one's first batch, {cpus} data CPUs"
        measures.append(Measure(f"epoch_gap_{cpus}", title, "s", gaps))
    return Result("epoch_gap", measures)
