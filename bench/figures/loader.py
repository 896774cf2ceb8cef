"""Our data path against torch's DataLoader with two workers and a row transform."""

from __future__ import annotations

import dataclasses

from bench.figures.data_path import compare, ours, rows_of
from bench.pipelines.client import Entry
from bench.result import Result
from bench.workspace import Workspace

_ROWS = 60_000


def measure(rounds: int, workspace: Workspace) -> Result:
    """With our batch transform, and with the DataLoader's own row transform on our single data CPU."""
    rows = rows_of(workspace, _ROWS)
    batch = ours(workspace, rows)
    return compare(
        "loader",
        {
            ("batch", "loader"): ("loader_batch", "batch transform, against a DataLoader with 2 workers"),
            ("row", "loader"): ("loader_row", "the DataLoader's row transform on one data CPU, against its 2 workers"),
        },
        {
            "loader": Entry("loader", workspace.arrays(rows), rows, workspace.arrays(rows)),
            "batch": batch,
            "row": dataclasses.replace(batch, pipeline="ours-row"),
        },
        rounds,
        workspace.folder,
    )
