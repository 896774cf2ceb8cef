"""What one contestant has to do: deliver both sets, then be killed. Its result is plain JSON."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.league import data_sets
from bench.league.kills import Count, killed_epoch
from bench.league.protocol import Task
from bench.league.referee import Disqualified, Run, Runner

CORES = 2
_MAKE = {"jpeg": data_sets.make_jpeg, "raw": data_sets.make_raw}
_BATCH_ROWS = {"jpeg": 32, "raw": 512}
# A step of training takes so long where a contestant is killed, so that kills fall between batches and not behind all.
_STEP_SECONDS = 0.01
_PATH = re.compile(r" ?\(/[^)]*\)")


@dataclass(frozen=True)
class Rules:
    """Rows of each set by kind, how often contestants with a state are killed, and where files are kept."""

    rows: dict[str, int]
    kills: int
    folder: Path

    def task(self, kind: str, name: str) -> Task:
        """The task of this contestant. Makes the set if it is not there yet."""
        source = self.folder / "data" / f"{kind}-{self.rows[kind]}"
        if not source.exists():
            _MAKE[kind](source, self.rows[kind])
        prepared = self.folder / "data" / f"{source.name}-{name}"
        return Task(
            kind, str(source), str(prepared), self.rows[kind], workers=CORES, batch_rows=_BATCH_ROWS[kind], epochs=2
        )


def play(runner: Runner, rules: Rules, *, has_state: bool) -> dict[str, Any]:
    """The whole match. What a contestant fails at is told in words in its place, and the rest is still measured."""
    return {
        "jpeg": _told(_delivered, runner, rules.task("jpeg", runner.name)),
        "raw": _told(_delivered, runner, rules.task("raw", runner.name)),
        "kills": _told(_killed, runner, rules, rules.kills if has_state else 1, None),
        "otherWorkers": _told(_killed, runner, rules, 1, 1) if has_state else None,
    }


def _told(part: Any, *arguments: Any) -> dict[str, Any]:
    try:
        result: dict[str, Any] = part(*arguments)
    except Disqualified as error:
        # The last line says what went wrong; where files lie on this machine is nobody's concern.
        return {"failed": _PATH.sub("", str(error).strip().splitlines()[-1])}
    return result


def _delivered(runner: Runner, task: Task) -> dict[str, Any]:
    """Two epochs: the first one shows when its first batch comes and what memory it takes, the second one the rate."""
    _prepare(runner, task)
    run = runner.run(task, watch_memory=True)
    first, last = run.times[0][0] - run.epochs[0], run.times[1][-1] - run.epochs[1]
    return {
        "rowsPerSecondPerCore": sum(map(len, run.ids[1])) / last / CORES,
        "firstBatchSeconds": first,
        "peakMiB": run.peak_bytes / (1 << 20),
        **_counted(run, task),
    }


def _counted(run: Run, task: Task) -> dict[str, int]:
    return dataclasses.asdict(Count.of([row for batch in run.ids[0] for row in batch], task.rows))


def _killed(runner: Runner, rules: Rules, kills: int, workers_after: int | None) -> dict[str, Any]:
    task = dataclasses.replace(rules.task("raw", runner.name), epochs=1, step_seconds=_STEP_SECONDS)
    result = killed_epoch(runner, task, kills, workers_after)
    return {"kills": len(result.seconds), "seconds": result.seconds, **dataclasses.asdict(result.count)}


def _prepare(runner: Runner, task: Task) -> None:
    prepared = Path(task.prepared)
    if not prepared.exists():
        unfinished = prepared.with_suffix(".part")
        unfinished.mkdir(exist_ok=True)
        runner.prepare(dataclasses.replace(task, prepared=str(unfinished)))
        unfinished.rename(prepared)
