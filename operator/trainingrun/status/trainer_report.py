"""Reads what the training program last reported, from the fields that the progress endpoint writes.

Those fields come from a pod: any of them may be missing or wrong, and they outlive the attempt that reported them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trainingrun.spec.storage import Storage
from trainingrun.status.fields import Attempt
from trainingrun.status.recorded import time_of

_MOST_TEXT = 1024


@dataclass(frozen=True)
class Report:
    """The newest report. `stall_percent` is the share of the trainers' time that they waited for data."""

    time: datetime | None
    checkpoint: str | None
    resumed_from: str | None
    stall_percent: float | None

    def is_of(self, attempt: Attempt | None) -> bool:
        """Whether this attempt made it: nothing of an earlier one is left when an attempt begins."""
        if attempt is None or attempt.start_time is None or self.time is None:
            return False
        return self.time > attempt.start_time


def report_of(status: Mapping[str, Any]) -> Report:
    """The newest report that `status` holds."""
    trainer, data = _mapping(status.get("trainerStatus")), _mapping(status.get("dataStatus"))
    metrics = _metrics(trainer.get("metrics"))
    stall = _number(data.get("stallPercentage"))
    return Report(
        time=time_of(trainer.get("lastUpdatedTime")),
        checkpoint=metrics.get("checkpoint") or None,
        resumed_from=metrics.get("resumedFrom") or None,
        stall_percent=_number(metrics.get("dataStallPercentage")) if stall is None else stall,
    )


def checkpoint_uri(storage: Storage, uid: str, checkpoint: str) -> str:
    """Where a checkpoint lies. A volume has no URI of its own; `pvc://<claim>/<path>` is how KServe writes it."""
    claim = storage.persistent_volume_claim
    root = f"pvc://{claim.claim_name}" if claim is not None else str(storage.uri)
    return f"{root.rstrip('/')}/{uid}/{checkpoint}"


def _metrics(listed: object) -> dict[str, str]:
    metrics: dict[str, str] = {}
    for metric in listed if isinstance(listed, list | tuple) else ():
        name, value = _mapping(metric).get("name"), _mapping(metric).get("value")
        if isinstance(name, str) and isinstance(value, str):
            metrics.setdefault(name, value[:_MOST_TEXT])
    return metrics


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
