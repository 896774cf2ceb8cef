"""How much of what is due a data group delivers, as it grows: rows a second over those that its CPUs could make."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
_CHAIN = Chain((Step(TRANSFORM, "Batch"),))


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
            for who, found in shares.items():
                name = f"data_scaling_{layout}_{cpus}" + ("_plain" if who == "plain" else "")
                title = f"{cpus} data CPUs, {TITLES[layout]}" + (", plain Ray Data" if who == "plain" else "")
                if found.first:
                    measures.append(Measure(f"{name}_first", f"{title}: first epoch", "x due", found.first))
                measures.append(Measure(name, f"{title}: later epochs", "x due", found.later))
                measures.append(Measure(f"{name}_asleep", f"{title}: time asleep, later epochs", "x due", found.asleep))
            raw[f"{layout}_{cpus}"] = {"rows": rows}
    return Result("data_scaling", measures, raw)


@dataclass(frozen=True)
class Shares:
    """The share of due rows that came: in the first epoch, empty if that was over at once, and in each later one.

    `asleep` is the share of the CPUs' time in which transforms slept: what is missing there is the data path's.
    """

    first: list[float]
    later: list[float]
    asleep: list[float]


def _ours(path: Path, rows: int, cpus: int, rounds: int) -> Shares:
    with passes_over(path, _CHAIN, data_cpus=cpus, batch_rows=_BATCH_ROWS) as passes:
        epochs = (
            ({name: passed.batch[name].numpy() for name in ("number", "slept")} for passed in passes.epoch(epoch))
            for epoch in range(rounds + 1)
        )
        return _shares(epochs, rows, cpus)


def _plain(path: Path, rows: int, cpus: int) -> Shares:
    """Two epochs of fewer rows, since one takes as long however many processors there are."""
    import ray
    import ray.data

    ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        slept = ray.data.read_parquet(str(path)).map_batches(sleep, batch_size=_BATCH_ROWS)
        batches = slept.iter_batches(batch_size=_BATCH_ROWS, prefetch_batches=2)
        return _shares((batches for _ in range(2)), rows, cpus)
    finally:
        ray.shutdown()


def _shares(epochs: Iterable[Iterable[Mapping[str, np.ndarray]]], rows: int, cpus: int) -> Shares:
    """In the first epoch from a second after its first batch, in each later one from the end of the one before.

    Raises AssertionError unless every row comes once in each.
    """
    due = cpus * ROWS_PER_CPU
    first, later, asleep, ended = [], [], [], 0.0
    for place, epoch in enumerate(epochs):
        came = [(time.monotonic(), batch["number"], batch["slept"]) for batch in epoch]
        numbers = np.concatenate([numbers for _, numbers, _ in came])
        assert len(numbers) == rows and len(np.unique(numbers)) == rows, "an epoch is not every row once"
        last = came[-1][0]
        if place == 0:
            from_then = came[0][0] + _STARTED_SECONDS
            behind = sum(len(numbers) for when, numbers, _ in came if when > from_then)
            first = [behind / (last - from_then) / due] if last > from_then else []
        else:
            later.append(rows / (last - ended) / due)
            asleep.append(sum(float(slept.sum()) for *_, slept in came) / (last - ended) / cpus)
        ended = last
    return Shares(first, later, asleep)
