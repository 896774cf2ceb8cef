"""Records of progress for tests of what carries them."""

from __future__ import annotations

from typing import Any

from trainingrun.contract.records import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    EpochEnded,
    KeptCheckpoint,
    Notice,
    Progress,
    Stall,
)


def progress(step: int, **fields: Any) -> Progress:
    values: dict[str, Any] = {
        "time": 1_772_000_000.0 + step,
        "attempt": 0,
        "epoch": 1,
        "epochs": 4,
        "step": step,
        "total_steps": 100,
        "percent": 12.7,
        "rows": 512 * step,
        "rows_per_second": 1234.5678,
        "metrics": {"loss": 0.25, "accuracy": 0.9},
        "eta_seconds": 61.9,
        "stall": Stall(total_percent=4.0, steady_percent=2.0, causes={"Production": 3.0, "Transfer": 1.0}),
        "goodput_percent": 95.0,
    }
    return Progress(**{**values, **fields})


def started(attempt: int = 0, resumed_from: str | None = None, best: KeptCheckpoint | None = None) -> AttemptStarted:
    return AttemptStarted(
        time=1_772_000_000.0,
        attempt=attempt,
        run="digits",
        world_size=2,
        epochs=4,
        first_epoch=0,
        first_step=0,
        resumed_from=resumed_from,
        storage="s3://bucket/runs/digits",
        versions={},
        configuration={},
        best=best,
    )


def saved(step: int, *, best: bool = False, **metrics: float) -> CheckpointSaved:
    path = f"s3://bucket/runs/digits/step-{step:08d}-e00001a0g1"
    return CheckpointSaved(
        time=1_772_000_000.0,
        attempt=0,
        path=path,
        epoch=1,
        step=step,
        seconds=1.0,
        size_bytes=1,
        best=best,
        metrics=metrics,
    )


def epoch_ended(step: int) -> EpochEnded:
    metrics = {"loss": 0.5, "validation_loss": 0.75}
    values: dict[str, Any] = {"epoch": 0, "epochs": 4, "rows": 1, "seconds": 1.0, "stall": None, "metrics": metrics}
    return EpochEnded(time=1_772_000_000.0, attempt=0, step=step, **values)


def notice(message: str) -> Notice:
    return Notice(time=1_772_000_000.0, attempt=0, level="Info", message=message)


def ended() -> AttemptEnded:
    return AttemptEnded(
        time=1_772_000_000.0, attempt=0, outcome="Complete", exit_code=0, message="complete", seconds=1.0
    )
