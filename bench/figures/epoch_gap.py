"""How long training waits between an epoch's last step and the first batch of the next one."""

from __future__ import annotations

import itertools

from bench.figures.fed_steps import waits
from bench.pipelines.slow_rows import make_slow_rows
from bench.result import Measure, Result
from bench.workspace import Workspace

_ROWS = 640


def measure(rounds: int, workspace: Workspace) -> Result:
    """As many gaps as rounds, in one run."""
    waited = waits(make_slow_rows(workspace.folder, _ROWS, "one_group"), rounds + 1)
    gaps = [before[-1] + after[0] for before, after in itertools.pairwise(waited)]
    return Result(
        "epoch_gap", [Measure("epoch_gap", "last step of an epoch until the next one's first batch", "s", gaps)]
    )
