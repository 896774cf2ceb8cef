"""Kills a contestant in the middle of an epoch, again and again, and counts what becomes of the epoch's rows.

A batch counts as trained once it is in a checkpoint: what a process has delivered after its last one is forgotten by
model and loader alike, as in real training.
"""

from __future__ import annotations

import dataclasses
import json
import random
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.league.protocol import LATEST, SEED, Task
from bench.league.referee import Run, Runner


@dataclass
class Count:
    """An epoch's rows: how many never came, and how many came too often."""

    lost: int
    repeated: int

    @classmethod
    def of(cls, ids: list[int], rows: int) -> Count:
        """Count the ids of an epoch of `rows` rows."""
        times = Counter(ids)
        return cls(lost=rows - len(times), repeated=sum(times.values()) - len(times))


@dataclass
class Kills:
    """What an epoch with kills was like. `seconds` are from each kill until the next batch."""

    count: Count
    seconds: list[float] = field(default_factory=list)


def killed_epoch(runner: Runner, task: Task, kills: int, workers_after: int | None = None) -> Kills:
    """An epoch in which the process is killed at `kills` random points, and goes on with another number of workers."""
    batches = -(-task.rows // task.batch_rows)
    points = sorted(random.Random(SEED).sample(range(task.every + 1, batches - 1), kills))
    trained: list[list[int]] = []
    seconds: list[float] = []
    killed: float | None = None
    with tempfile.TemporaryDirectory(prefix="league-state-") as folder:
        task = dataclasses.replace(task, checkpoints=folder)
        for point in (*points, None):
            before = len(trained)
            run = runner.run(task, stop=lambda done, b=before, p=point: p is not None and b + done >= p)
            if killed is not None and run.times[0]:
                seconds.append(run.times[0][0] - killed)
            trained += run.ids[0] if run.killed is None else run.ids[0][: _saved(Path(folder), run)]
            if run.killed is None:
                break
            killed = run.killed
            task = dataclasses.replace(task, workers=workers_after or task.workers)
    return Kills(Count.of([row for batch in trained for row in batch], task.rows), seconds)


def _saved(folder: Path, run: Run) -> int:
    """How many batches of this process are in the latest checkpoint, which may be an earlier process's."""
    latest = folder / LATEST
    pointer: dict[str, Any] = json.loads(latest.read_text()) if latest.exists() else {"pid": None}
    return int(pointer["batches"]) if pointer["pid"] == run.pid else 0
