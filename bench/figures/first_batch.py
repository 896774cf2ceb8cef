"""How long a training worker that has started waits until it holds the first batch of the run."""

from __future__ import annotations

import time
from typing import Any

from bench.result import Measure, Result
from bench.training.document import Recipe, document, hook
from bench.training.hooks import read_log
from bench.training.local_run import local_run
from bench.workspace import Workspace

_ROWS, _QUICK_ROWS = 60_000, 1024


def measure(rounds: int, workspace: Workspace) -> Result:
    """As many runs as rounds, each ended after its first step."""
    started = [_start(number, workspace) for number in range(rounds)]
    values = [seconds for seconds, _ in started]
    measure = Measure("first_batch", "first batch of a run, after its worker has started", "s", values)
    return Result("first_batch", [measure], {"secondsFromCommandToFirstBatch": [whole for _, whole in started]})


def _start(number: int, workspace: Workspace) -> tuple[float, float]:
    name = f"first-batch-{number}"
    folder = workspace.folder / name
    log = folder / "log.jsonl"
    data = workspace.converted(_QUICK_ROWS if workspace.is_quick else _ROWS)
    hooks = {"trainStep": hook("noted_step", log=str(log))}
    recipe = Recipe(data, 1, 512, hook("network", log=str(log)), hooks)

    def first(event: str) -> dict[str, Any] | None:
        return next((note for note in read_log(log) if note["event"] == event), None)

    commanded = time.time()
    with local_run(document(name, recipe, folder / "storage"), folder) as run:
        step = run.wait_for(lambda: first("Step"))
        # Making the model is the first thing that the training function does.
        return step["began"] - first("Worker")["time"], step["began"] - commanded
