"""What records add to a run's curves, by the names that other tools show them under. Pure."""

from __future__ import annotations

from trainingrun.contract.records import EpochEnded, Progress, Record
from trainingrun.spec.storage import VALIDATION_PREFIX


def scalars_of(record: Record) -> tuple[int, dict[str, float]]:
    """What a record adds to the curves: its step, and values by their tags; none for a record without any."""
    match record:
        case Progress():
            metrics = record.metrics if record.recent_metrics is None else record.recent_metrics
            speed = record.recent_rows_per_second
            return record.step, {
                **{f"train/{name}": value for name, value in metrics.items()},
                **record.scalars,
                **({"data/rows_per_second": speed} if speed is not None else {}),
                **({"data/stall_percent": record.recent_stall.total_percent} if record.recent_stall else {}),
            }
        case EpochEnded():
            return record.step, {_epoch_tag(name): value for name, value in record.metrics.items()}
    return 0, {}


def _epoch_tag(name: str) -> str:
    base = name.removeprefix(VALIDATION_PREFIX)
    return f"epoch/{name}" if base == name else f"validation/{base}"
