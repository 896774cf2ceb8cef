"""How much of what is due a data group delivers, as it grows: rows a second over those that its CPUs could make."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bench.pipelines.passes import passes_over
from bench.pipelines.slow_rows import LAYOUTS, ROWS_PER_CPU, TITLES, TRANSFORM, make_slow_rows, sleep
from bench.result import Measure, Result
from bench.workspace import Workspace
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.transform import Chain

_CPUS = (1, 2, 4, 8, 16)
_LAYOUT_CPUS = 8
_BATCH_ROWS = 64
_EPOCH_SECONDS, _QUICK_SECONDS = 6, 2
# Nobody waits for a first epoch's first second again and again: what counts of it is what comes after that.
_STARTED_SECONDS = 1.0
_CHAIN = Chain((Step(TRANSFORM, "Row"),))


def measure(rounds: int, workspace: Workspace) -> Result:
    """Each number of CPUs with one row group, beside plain Ray Data; then other layouts. `rounds` epochs of ours."""
    measures, raw = [], {}
    for layout in LAYOUTS:
        for cpus in _CPUS if layout == "one_group" else (_LAYOUT_CPUS,):
            seconds = _QUICK_SECONDS if workspace.is_quick else _EPOCH_SECONDS
            rows = int(cpus * ROWS_PER_CPU * seconds)
            path = make_slow_rows(workspace.folder, rows, layout)
            shares = {"ours": _ours(path, rows, cpus, rounds)}
            if layout == "one_group":
                fewer = int(cpus * ROWS_PER_CPU * _QUICK_SECONDS)
                shares["plain"] = _plain(make_slow_rows(workspace.folder, fewer, layout), fewer, cpus)
            for who, (first, later) in shares.items():
                name = f"data_scaling_{layout}_{cpus}" + ("_plain" if who == "plain" else "")
                title = f"{cpus} data CPUs, {TITLES[layout]}" + (", plain Ray Data" if who == "plain" else "")
                measures.append(Measure(f"{name}_first", f"{title}: first epoch", "x due", [first]))
                measures.append(Measure(name, f"{title}: later epochs", "x due", later))
            raw[f"{layout}_{cpus}"] = {"rows": rows}
    return Result("data_scaling", measures, raw)


def _ours(path: Path, rows: int, cpus: int, rounds: int) -> tuple[float, list[float]]:
    with passes_over(path, _CHAIN, data_cpus=cpus, batch_rows=_BATCH_ROWS) as passes:
        epochs = ((portion.batch["number"].numpy() for portion in passes.epoch(e)) for e in range(rounds + 1))
        return _shares(epochs, rows, cpus)


def _plain(path: Path, rows: int, cpus: int) -> tuple[float, list[float]]:
    """Two epochs of fewer rows, since one takes as long however many processors there are."""
    import ray
    import ray.data

    ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        batches = ray.data.read_parquet(str(path)).map(sleep).iter_batches(batch_size=_BATCH_ROWS, prefetch_batches=2)
        return _shares(((batch["number"] for batch in batches) for _ in range(2)), rows, cpus)
    finally:
        ray.shutdown()


def _shares(epochs: Iterable[Iterable[np.ndarray]], rows: int, cpus: int) -> tuple[float, list[float]]:
    """The share of what is due in the first epoch, and in each later one from the end of the one before.

    Raises AssertionError unless every row comes once in each.
    """
    due = cpus * ROWS_PER_CPU
    first, later, ended = 0.0, [], 0.0
    for place, epoch in enumerate(epochs):
        came: list[tuple[float, np.ndarray]] = [(time.monotonic(), numbers) for numbers in epoch]
        numbers = np.concatenate([numbers for _, numbers in came])
        assert len(numbers) == rows and len(np.unique(numbers)) == rows, "an epoch is not every row once"
        if place == 0:
            from_then = came[0][0] + _STARTED_SECONDS
            behind = [(when, len(numbers)) for when, numbers in came if when > from_then]
            first = sum(count for _, count in behind) / (came[-1][0] - from_then) / due
        else:
            later.append(rows / (came[-1][0] - ended) / due)
        ended = came[-1][0]
    return first, later
