"""What the figures about the data path alone share: pipelines against a baseline, in one table of raw values."""

from __future__ import annotations

from typing import Any

from bench.pipelines.client import Entry, rates, ratios, take_turns
from bench.result import Measure, Result
from bench.workspace import Workspace

# Of the quick form.
_QUICK_ROWS = 2048


def rows_of(workspace: Workspace, rows: int) -> int:
    """`rows`, or few in the quick form."""
    return _QUICK_ROWS if workspace.is_quick else rows


def seed(workspace: Workspace, rows: int) -> Entry:
    """The baseline with nested lists."""
    return Entry("seed", workspace.list_file(rows), rows, workspace.arrays(rows))


def ours(workspace: Workspace, rows: int) -> Entry:
    """Our data path on converted rows."""
    return Entry("ours", workspace.converted(rows), rows, workspace.arrays(rows))


def compare(
    figure: str, titles: dict[tuple[str, str], tuple[str, str]], entries: dict[str, Entry], rounds: int, folder: Any
) -> Result:
    """Measure the entries in turns. `titles` maps (entry, baseline) to the row's name and title."""
    epochs = take_turns(entries, rounds, folder)
    rates_of = rates(epochs, entries)
    measures = [
        Measure(name, title, f"x {baseline}", ratios(rates_of, entry, baseline))
        for (entry, baseline), (name, title) in titles.items()
    ]
    raw = {
        name: {
            "rows": entries[name].rows,
            "rowsPerSecond": rates_of[name],
            "firstBatchSeconds": [epoch["firstBatchSeconds"] for epoch in each],
            "consumerPeakMiB": each[-1]["peakMiB"],
        }
        for name, each in epochs.items()
    }
    return Result(figure, measures, raw)
