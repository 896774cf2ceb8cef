"""Our data path over 60_000 images of 28x28, against the seed."""

from __future__ import annotations

from bench.figures.data_path import compare, ours, rows_of, seed
from bench.result import Result
from bench.workspace import Workspace

_ROWS = 60_000


def measure(rounds: int, workspace: Workspace) -> Result:
    """Both over the same rows."""
    rows = rows_of(workspace, _ROWS)
    return compare(
        "data_path_60k",
        {("ours", "seed"): ("data_path_60k", "data path, 60,000 rows")},
        {"seed": seed(workspace, rows), "ours": ours(workspace, rows)},
        rounds,
        workspace.folder,
    )
