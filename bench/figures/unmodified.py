"""The seed's own file, nested lists and all, read by our data path without converting it first."""

from __future__ import annotations

from bench.figures.data_path import compare, rows_of, seed
from bench.pipelines.client import Entry
from bench.result import Result
from bench.workspace import Workspace

_ROWS = 60_000


def measure(rounds: int, workspace: Workspace) -> Result:
    """Both over the same file."""
    rows = rows_of(workspace, _ROWS)
    file, arrays = workspace.list_file(rows), workspace.arrays(rows)
    return compare(
        "unmodified",
        {("ours", "seed"): ("unmodified", "the seed's own file through our reader")},
        {"seed": seed(workspace, rows), "ours": Entry("ours", file, rows, arrays)},
        rounds,
        workspace.folder,
    )
