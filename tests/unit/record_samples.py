"""Records for tests, with every field filled: a test names only the fields that it is about."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trainingrun.contract.records import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    EpochEnded,
    Notice,
    Placement,
    Progress,
    Record,
    Stall,
    WorkersRestarted,
)

BEGIN = 1_772_000_000.0
SAMPLES: dict[type[Record], dict[str, Any]] = {
    AttemptStarted: {
        "run": "digits",
        "world_size": 2,
        "epochs": 2,
        "first_epoch": 0,
        "first_step": 0,
        "resumed_from": None,
        "storage": "s3://runs/digits",
        "versions": {"torch": "2.14.0"},
        "configuration": {"spec": {"recipe": {"epochs": 2}}},
    },
    Progress: {
        "epoch": 0,
        "epochs": 2,
        "step": 1,
        "total_steps": 40,
        "percent": 2.5,
        "rows": 512,
        "rows_per_second": 1200.0,
        "metrics": {"loss": 2.0},
        "eta_seconds": 90.0,
        "stall": Stall(total_percent=4.0, steady_percent=2.0, causes={"Production": 4.0}),
        "goodput_percent": 95.0,
    },
    EpochEnded: {
        "epoch": 0,
        "epochs": 2,
        "step": 20,
        "rows": 10_000,
        "seconds": 10.0,
        "metrics": {"loss": 1.0, "validation_loss": 1.1, "validation_accuracy": 0.5},
        "stall": Stall(total_percent=4.0, steady_percent=2.0, causes={"Production": 3.0, "Transfer": 1.0}),
    },
    CheckpointSaved: {
        "path": "s3://runs/digits/checkpoint_000020",
        "epoch": 0,
        "step": 20,
        "seconds": 1.5,
        "size_bytes": 128 * 1024**2,
        "best": False,
    },
    WorkersRestarted: {"reason": "rank 1 died"},
    Placement: {"data_rows": {"cpu-0": 600, "cpu-1": 400}, "trainer_ranks": {"gpu-0": [0, 1]}},
    Notice: {"level": "Warning", "message": "the disk is nearly full"},
    AttemptEnded: {"outcome": "Complete", "exit_code": 0, "message": "", "seconds": 60.0},
}


def sample(kind: type[Record], at: float = 0.0, attempt: int = 0, **fields: Any) -> Record:
    """A record of `kind`, `at` seconds after the run began."""
    return kind(time=BEGIN + at, attempt=attempt, **(SAMPLES[kind] | fields))


def complete_run() -> list[Record]:
    """Two epochs, one attempt, nothing lost."""
    return [
        sample(AttemptStarted),
        sample(Placement, 1),
        *(sample(Progress, step, step=step, metrics={"loss": 2 - step / 40}) for step in range(1, 21)),
        sample(EpochEnded, 21),
        sample(CheckpointSaved, 22, best=True),
        *(sample(Progress, step + 2, step=step, epoch=1) for step in range(21, 41)),
        sample(EpochEnded, 43, epoch=1, step=40, metrics={"loss": 0.5, "validation_accuracy": 0.75}),
        sample(CheckpointSaved, 44, epoch=1, step=40, path="s3://runs/digits/checkpoint_000040"),
        sample(AttemptEnded, 60),
    ]


def resumed_run() -> list[Record]:
    """Attempt 0 dies at step 30, ten steps after its checkpoint; attempt 1 loses its workers at step 35."""
    started = {"first_epoch": 1, "first_step": 20, "resumed_from": "checkpoint_000020"}
    return [
        sample(AttemptStarted),
        *(sample(Progress, step, step=step, metrics={"loss": 100.0}) for step in range(1, 31)),
        sample(EpochEnded, 20),
        sample(CheckpointSaved, 21, best=True),
        sample(AttemptEnded, 31, outcome="Preempted", exit_code=137, message="node taken", seconds=31.0),
        sample(AttemptStarted, 100, 1, **started),
        *(sample(Progress, 80 + step, 1, step=step, epoch=1, metrics={"loss": 50.0}) for step in range(21, 36)),
        sample(WorkersRestarted, 120, 1),
        *(sample(Progress, 110 + step, 1, step=step, epoch=1, metrics={"loss": 1.0}) for step in range(21, 41)),
        sample(EpochEnded, 151, 1, epoch=1, step=40),
        sample(AttemptEnded, 152, 1, seconds=52.0),
    ]


def write_run(directory: Path, records: Iterable[Record], torn: str = "") -> Path:
    """The folder of a run that wrote `records`, and then `torn` at the end of every attempt's file."""
    (directory / "progress").mkdir(parents=True, exist_ok=True)
    paths = set()
    for record in records:
        paths.add(directory / "progress" / f"attempt-{record.attempt:04d}.jsonl")
        with (directory / "progress" / f"attempt-{record.attempt:04d}.jsonl").open("a") as file:
            file.write(record.to_json() + "\n")
    for path in paths:
        with path.open("a") as file:
            file.write(torn)
    return directory
