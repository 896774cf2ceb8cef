"""How long training stands still when its worker or its driver is killed, and whether it goes on where it was."""

from __future__ import annotations

import itertools
import os
import signal
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench.result import Measure, Result
from bench.training.document import Recipe, document, hook
from bench.training.hooks import read_log
from bench.training.local_run import LocalRun, local_run
from bench.workspace import Workspace

# The same small problem for all: its loss falls quickly at first, then slowly.
_ROWS, _BATCH_ROWS, _CHECKPOINT_STEPS = 60_000, 512, 10
# Between two kills, and after the last one: enough steps for a checkpoint, and to compare losses over.
_STEPS_BETWEEN, _COMPARED_STEPS = 40, 20
_MANY_EPOCHS = 1000


def measure(rounds: int, workspace: Workspace) -> Result:
    """Three runs with the same seed: one left alone, one whose worker is killed, one whose driver is."""
    worker = _killed("worker", rounds, workspace, lambda _, last: last["pid"])
    driver = _killed("driver", rounds, workspace, lambda run, _: run.driver())
    steps = max(note["step"] for note in itertools.chain(worker[1], driver[1]))
    alone = _losses(_uninterrupted(workspace, steps))
    measures = []
    for who, (seconds, notes, resumed) in (("worker", worker), ("driver", driver)):
        measures.append(Measure(f"{who}_killed", f"{who} killed, until the next step", "s", seconds))
        gaps = [_gap(alone, _losses(notes), step) for step in resumed]
        title = f"{who} killed, loss of the next {_COMPARED_STEPS} steps against a run left alone"
        measures.append(Measure(f"{who}_killed_loss", title, "difference", gaps))
    raw = {
        "stepsLostByWorkerKill": _lost(worker[1], worker[2]),
        "stepsLostByDriverKill": _lost(driver[1], driver[2]),
        "lossLeftAlone": [alone[step] for step in sorted(alone)][::_CHECKPOINT_STEPS],
    }
    return Result("recovery", measures, raw)


def _killed(
    who: str, rounds: int, workspace: Workspace, choose: Callable[[LocalRun, dict[str, Any]], int]
) -> tuple[list[float], list[dict[str, Any]], list[int]]:
    """Seconds that each kill cost, everything that the workers noted, and the steps that they went on at."""
    seconds, resumed = [], []
    log, run_document, folder = _run(f"{who}-killed", workspace)
    with local_run(run_document, folder) as run:
        run.wait_for(partial(_has_steps, log, _STEPS_BETWEEN))
        for _ in range(rounds):
            last = _steps(log)[-1]
            killed = time.time()
            os.kill(choose(run, last), signal.SIGKILL)
            after = run.wait_for(partial(_first_of_another, log, last["pid"], killed))
            seconds.append(after["time"] - killed)
            resumed.append(after["step"])
            run.wait_for(partial(_has_steps, log, len(_steps(log)) + _STEPS_BETWEEN))
        return seconds, _steps(log), resumed


def _uninterrupted(workspace: Workspace, steps: int) -> list[dict[str, Any]]:
    log, run_document, folder = _run("left-alone", workspace)
    with local_run(run_document, folder) as run:
        run.wait_for(partial(_has_steps, log, steps + 1))
        return _steps(log)


def _run(name: str, workspace: Workspace) -> tuple[Path, dict[str, Any], Path]:
    folder = workspace.folder / name
    log = folder / "log.jsonl"
    hooks = {"trainStep": hook("noted_step", log=str(log))}
    recipe = Recipe(
        workspace.converted(_ROWS),
        _MANY_EPOCHS,
        _BATCH_ROWS,
        hook("network"),
        hooks,
        checkpoint_steps=_CHECKPOINT_STEPS,
    )
    return log, document(name, recipe, folder / "storage"), folder


def _steps(log: Path) -> list[dict[str, Any]]:
    return [note for note in read_log(log) if note["event"] == "Step"]


def _has_steps(log: Path, count: int) -> bool:
    return len(_steps(log)) >= count


def _first_of_another(log: Path, pid: int, after: float) -> dict[str, Any] | None:
    return next((note for note in _steps(log) if note["pid"] != pid and note["time"] > after), None)


def _losses(notes: list[dict[str, Any]]) -> dict[int, float]:
    """The loss of each step; a step that was taken again counts as it was the last time."""
    return {note["step"]: note["loss"] for note in notes}


def _gap(alone: dict[int, float], killed: dict[int, float], step: int) -> float:
    """How far the mean losses of the steps from `step` on are apart."""
    steps = [number for number in range(step, step + _COMPARED_STEPS) if number in killed and number in alone]
    return abs(statistics.fmean(alone[n] for n in steps) - statistics.fmean(killed[n] for n in steps))


def _lost(notes: list[dict[str, Any]], resumed: list[int]) -> list[int]:
    """How many steps each kill made training take again."""
    lost = []
    for before, after in itertools.pairwise(notes):
        if before["pid"] != after["pid"]:
            lost.append(before["step"] - after["step"] + 1)
    assert len(lost) == len(resumed), "there were more restarts than kills"
    return lost
