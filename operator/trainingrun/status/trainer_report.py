"""Reads what the training program last reported, from the fields that the progress endpoint writes.

Those fields come from a pod: any of them may be missing or wrong, and they outlive the attempt that reported them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trainingrun.contract.progress_metrics import (
    BEST_CHECKPOINT,
    CHECKPOINT,
    RESUMED_FROM,
    STALL,
    metrics_of_checkpoint,
    numbers_in,
)
from trainingrun.spec.storage import Storage
from trainingrun.status.fields import Attempt
from trainingrun.status.json_values import list_of, mapping_of, number_of, texts_by_name, time_of

_MOST_TEXT = 1024


@dataclass(frozen=True)
class ReportedCheckpoint:
    """A checkpoint by its name, with the metrics that it was saved with, as text; none where none were told."""

    name: str
    metrics: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """The newest report. `stall_percent` is the share of the trainers' time that they waited for data.

    `last` is the newest whole checkpoint, `best` the best one. `data_reason` is a sentence on the size of the data
    group, empty if there is none.
    """

    time: datetime | None
    last: ReportedCheckpoint | None
    best: ReportedCheckpoint | None
    resumed_from: str | None
    stall_percent: float | None
    data_reason: str = ""

    def is_of(self, attempt: Attempt | None) -> bool:
        """Whether this attempt made it: nothing of an earlier one is left when an attempt begins."""
        if attempt is None or attempt.start_time is None or self.time is None:
            return False
        return self.time > attempt.start_time


def report_of(status: Mapping[str, Any]) -> Report:
    """The newest report that `status` holds."""
    trainer, data = mapping_of(status.get("trainerStatus")), mapping_of(status.get("dataStatus"))
    metrics = texts_by_name(trainer.get("metrics"))
    stall = number_of(data.get("stallPercentage"))
    return Report(
        time=time_of(trainer.get("lastUpdatedTime")),
        last=_checkpoint(CHECKPOINT, metrics),
        best=_checkpoint(BEST_CHECKPOINT, metrics),
        resumed_from=metrics.get(RESUMED_FROM, "")[:_MOST_TEXT] or None,
        stall_percent=number_of(numbers_in(metrics).get(STALL)) if stall is None else stall,
        data_reason=reason[:_MOST_TEXT] if isinstance(reason := data.get("reason"), str) else "",
    )


def _checkpoint(word: str, metrics: Mapping[str, str]) -> ReportedCheckpoint | None:
    name = metrics.get(word, "")[:_MOST_TEXT]
    return ReportedCheckpoint(name, metrics_of_checkpoint(word, metrics)) if name else None


def last_heard(status: Mapping[str, Any]) -> datetime | None:
    """When the newest attempt last reported; None if it does not train or has not reported yet."""
    attempts = list_of(status.get("attempts"))
    newest = mapping_of(attempts[-1]) if attempts else {}
    time = time_of(mapping_of(status.get("trainerStatus")).get("lastUpdatedTime"))
    begun = time_of(newest.get("startTime"))
    is_its_own = newest.get("outcome") == "Running" and time is not None and begun is not None and time > begun
    return time if is_its_own else None


def folder_uri(storage: Storage, uid: str) -> str:
    """The run's folder. A volume has no URI of its own; `pvc://<claim>/<path>` is how KServe writes it."""
    claim = storage.persistent_volume_claim
    root = f"pvc://{claim.claim_name}" if claim is not None else str(storage.uri)
    return f"{root.rstrip('/')}/{storage.folder(uid)}"
