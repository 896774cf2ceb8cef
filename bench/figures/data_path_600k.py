"""Our data path over 600_000 images of 28x28, against the seed."""

from __future__ import annotations

from bench.figures.data_path import compare, ours, rows_of, seed
from bench.result import Result
from bench.workspace import Workspace

_ROWS = 600_000
# The seed takes the same time for every row, so its rate over fewer of them is its rate.
_SEED_ROWS = 30_000


def measure(rounds: int, workspace: Workspace) -> Result:
    """Ours over all rows, the seed over a part of them."""
    return compare(
        "data_path_600k",
        {("ours", "seed"): ("data_path_600k", "data path, 600,000 rows (the seed's rate from 30,000)")},
        {
            "seed": seed(workspace, rows_of(workspace, _SEED_ROWS)),
            "ours": ours(workspace, rows_of(workspace, _ROWS)),
        },
        rounds,
        workspace.folder,
    )
