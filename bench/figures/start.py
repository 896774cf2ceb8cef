"""From the command to the first step of a toy: 20 steps of a linear model, on this machine.

Beside it, in the same sitting, the same in a kept cluster, and the least that Ray Train does, in bench.start.plain. And
20 epochs of 2,000 rows, once data flow: what epochs cost that are over at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.processes import environment, wait_until_idle
from bench.result import Measure, Result
from bench.start.sampling import Sampler, wait_for
from bench.start.timeline import Timeline, summary, timeline
from bench.training.document import Recipe, document, hook
from bench.training.hooks import read_log
from bench.training.local_run import local_run
from bench.workspace import Workspace
from trainingrun.contract.records import AttemptStarted, Notice
from trainingrun_trainer.local.kept.client import keeper, stop

_BATCH_ROWS, _STEPS = 32, 20
_EPOCHS, _EPOCH_ROWS, _QUICK_EPOCHS = 20, 2_000, 3
_PATIENCE_SECONDS = 280.0


def measure(rounds: int, workspace: Workspace) -> Result:
    """As many starts of each as rounds, in turns."""
    ours, kept, plain, epochs = [], [], [], []
    for number in range(rounds):
        ours.append(_ours(f"start-{number}", workspace))
        kept.append(_kept(f"kept-{number}", workspace))
        plain.append(_plain(f"plain-{number}", workspace))
        epochs.append(_tiny_epochs(f"epochs-{number}", workspace))

    def values(key: str, found: list[Timeline]) -> list[float]:
        return [float(summary(each)[key]) for each in found]

    pairs = zip(values("firstStep", ours), values("firstStep", plain), strict=True)
    title = "command until the first step of a toy"
    measures = [
        Measure("start_first_step", title, "s", values("firstStep", ours)),
        Measure(
            "start_share", f"{title}, against ray.init and TorchTrainer", "x plain", [our / one for our, one in pairs]
        ),
        Measure("start_cpu", "CPU of a toy run", "s", values("cpuSeconds", ours)),
        Measure("start_processes", "processes of a toy run", "processes", values("processes", ours)),
        Measure("start_kept", f"{title}, kept cluster", "s", values("firstStep", kept)),
        Measure("start_plain", f"{title}, ray.init and TorchTrainer", "s", values("firstStep", plain)),
        Measure("start_plain_cpu", "CPU of it", "s", values("cpuSeconds", plain)),
        Measure("start_plain_processes", "processes of it", "processes", values("processes", plain)),
        Measure("tiny_epochs", "20 epochs of 2,000 rows, once data flow", "s", epochs),
    ]
    raw = {
        "ours": [summary(each) for each in ours],
        "kept": [summary(each) for each in kept],
        "plain": [summary(each) for each in plain],
        "drawn": {
            "trainingrun local": ours[-1],
            "trainingrun local, kept cluster": kept[-1],
            "ray.init and TorchTrainer": plain[-1],
        },
    }
    return Result("start", measures, raw)


def _ours(name: str, workspace: Workspace) -> Timeline:
    log = workspace.folder / name / "log.jsonl"
    return _start(_toy(name, log, workspace), workspace.folder / name, log)


def _kept(name: str, workspace: Workspace) -> Timeline:
    """The start of a run in the cluster that the run before it has left, once that is ready."""
    folder = workspace.folder / name
    with _own_temporary_folder():
        with local_run(_toy(f"{name}-before", folder / "before.jsonl", workspace), folder, options=("--keep",)) as run:
            run.wait_for_end()
        try:
            kept_by = keeper()
            if kept_by is None:
                raise RuntimeError("no cluster is kept")
            wait_until_idle(kept_by)
            log = folder / "log.jsonl"
            return _start(_toy(name, log, workspace), folder, log, kept_by)
        finally:
            stop()


def _toy(name: str, log: Path, workspace: Workspace) -> dict[str, Any]:
    rows = workspace.converted(_BATCH_ROWS * _STEPS)
    recipe = Recipe(rows, 1, _BATCH_ROWS, hook("linear", log=str(log)), _noted(log))
    return document(name, recipe, workspace.folder / name / "storage")


def _start(run_document: dict[str, Any], folder: Path, log: Path, *others: int) -> Timeline:
    """A start, with the processes of the command, and those below others that were there before."""
    commanded = time.time()
    with local_run(run_document, folder) as run:
        sampler = Sampler(run.process, commanded, others)
        records = run.wait_for_end()
        processes = sampler.stop()
    marks = [(record.time - commanded, "ranks have begun") for record in records if isinstance(record, AttemptStarted)]
    marks += [
        (record.time - commanded, "workers are connected")
        for record in records
        if isinstance(record, Notice) and record.message.startswith("training uses")
    ]
    marks += [(note["time"] - commanded, "model is made") for note in read_log(log) if note["event"] == "Worker"][:1]
    return timeline(processes, _first_step(log) - commanded, marks)


def _plain(name: str, workspace: Workspace) -> Timeline:
    folder = workspace.folder / name
    folder.mkdir()
    log = folder / "log.jsonl"
    commanded = time.time()
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.start.plain", str(log), str(folder)],
            cwd=folder,
            env=environment(),
            stdout=output,
            stderr=output,
        )
    sampler = Sampler(process, commanded)
    wait_for(process, lambda: _has_steps(log), _PATIENCE_SECONDS)
    code = process.wait(_PATIENCE_SECONDS)
    if code:
        raise RuntimeError(f"it ended with {code}:\n{(folder / 'output.txt').read_text()[-2000:]}")
    return timeline(sampler.stop(), _first_step(log) - commanded, [])


def _tiny_epochs(name: str, workspace: Workspace) -> float:
    """Seconds from the first step to the end of the last epoch."""
    folder = workspace.folder / name
    log = folder / "log.jsonl"
    epochs = _QUICK_EPOCHS if workspace.is_quick else _EPOCHS
    recipe = Recipe(workspace.converted(_EPOCH_ROWS), epochs, 100, hook("linear", log=str(log)), _noted(log))
    with local_run(document(name, recipe, folder / "storage"), folder) as run:
        run.wait_for_end()
    steps = [note["began"] for note in read_log(log) if note["event"] == "Step"]
    return max(steps) - min(steps)


def _noted(log: Path) -> dict[str, Any]:
    return {"trainStep": hook("noted_step", log=str(log))}


@contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """Neither uses a cluster that somebody keeps, nor ends it."""
    before = os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = None
            os.environ.pop("TMPDIR")
            if before is not None:
                os.environ["TMPDIR"] = before


def _has_steps(log: Path) -> bool:
    return any(note["event"] == "Step" for note in read_log(log))


def _first_step(log: Path) -> float:
    return min(float(note["began"]) for note in read_log(log) if note["event"] == "Step")
