"""Records of progress for tests of what carries them."""

from __future__ import annotations

from typing import Any

from trainingrun.progress import AttemptEnded, Notice, Progress, Stall


def progress(step: int, **fields: Any) -> Progress:
    values: dict[str, Any] = {
        "time": 1_772_000_000.0 + step,
        "attempt": 1,
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


def notice(message: str) -> Notice:
    return Notice(time=1_772_000_000.0, attempt=1, level="Info", message=message)


def ended() -> AttemptEnded:
    return AttemptEnded(
        time=1_772_000_000.0, attempt=1, outcome="Complete", exit_code=0, message="complete", seconds=1.0
    )
