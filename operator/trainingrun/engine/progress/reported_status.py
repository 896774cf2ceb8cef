"""What of a progress report goes into a run's status. Pure.

The time of a report is when it came, not when it says it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trainingrun.contract.progress_metrics import (
    BAD_ROWS,
    CACHE,
    DATA_NODES_GAIN,
    DATA_NODES_REASON,
    DATA_NODES_WANTED,
    ROWS_PER_SECOND,
    STALL,
    numbers_in,
    stall_causes,
)
from trainingrun.contract.progress_protocol import ProgressReport
from trainingrun.spec.groups import MAX_NODES
from trainingrun.status.json_values import integer_of, list_of, mapping_of, time_of
from trainingrun.status.reported_fields import CACHE_WORDS, GAIN_PERCENTAGES, MAX_BAD_ROWS

# Beyond this, no rate or share is meant.
_TOO_MUCH = 1e15
# By so much the clocks of replicas may differ: that all is done is not taken back by what came at about that time.
_SKEW = timedelta(seconds=60)


@dataclass(frozen=True)
class ReportedStatus:
    """The part of a run's status that training reports. Two that are equal say the same, whenever they came."""

    trainer: dict[str, Any]
    data: dict[str, Any]

    @property
    def is_of_the_end(self) -> bool:
        """Whether all of training is done: what it says now, the run's status says for good."""
        return _is_of_the_end(self.trainer)

    def status(self, time: datetime) -> dict[str, Any]:
        """The fields of status, for a report that came at this time."""
        trainer = {**self.trainer, "lastUpdatedTime": time.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return {"trainerStatus": trainer, **({"dataStatus": self.data} if self.data else {})}


def reported_status(report: ProgressReport) -> ReportedStatus:
    """What `report` says."""
    values = report.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"last_updated_time"})
    return ReportedStatus(trainer=values, data=_data_of(report))


def newest_attempt(status: Mapping[str, Any]) -> int:
    """The index of the newest attempt that a run's status names."""
    return max((_index(attempt) for attempt in list_of(status.get("attempts"))), default=0)


def is_outdated(report: ReportedStatus, attempt: int, time: datetime, status: Mapping[str, Any]) -> bool:
    """Whether `status` holds a newer report than this one of `attempt`, which came at `time`.

    Several replicas take reports, each with its own clock, and each may keep one for a while.
    """
    if attempt < newest_attempt(status):
        return True
    there = mapping_of(status.get("trainerStatus"))
    came, began = time_of(there.get("lastUpdatedTime")), _start_of(status, attempt)
    if came is None or (began is not None and came <= began):
        return False
    if report.is_of_the_end != _is_of_the_end(there):
        return not report.is_of_the_end and time <= came + _SKEW
    return time.replace(microsecond=0) < came


def _is_of_the_end(trainer: Mapping[str, Any]) -> bool:
    return trainer.get("progressPercentage") == 100


def _index(attempt: object) -> int:
    return integer_of(mapping_of(attempt).get("index")) or 0


def _start_of(status: Mapping[str, Any], attempt: int) -> datetime | None:
    attempts = list_of(status.get("attempts"))
    return next((time_of(mapping_of(each).get("startTime")) for each in attempts if _index(each) == attempt), None)


def _data_of(report: ProgressReport) -> dict[str, Any]:
    """How well the trainers are fed, from the metrics that say so."""
    metrics = report.metrics_by_name()
    told = numbers_in(metrics)
    numbers = {name: n for name, n in told.items() if 0 <= n < _TOO_MUCH}
    data: dict[str, Any] = {}
    if STALL in numbers:
        data["stallPercentage"] = round(min(numbers[STALL], 100.0))
    causes = {cause: share for cause, share in stall_causes(numbers).items() if share}
    if causes:
        data["cause"] = max(causes, key=lambda cause: (causes[cause], cause))
    if ROWS_PER_SECOND in numbers:
        data["rowsPerSecond"] = numbers[ROWS_PER_SECOND]
    if (wanted := numbers.get(DATA_NODES_WANTED)) is not None and 1 <= wanted <= MAX_NODES:
        data["wantedNodes"] = round(wanted)
    if metrics.get(DATA_NODES_REASON):
        data["reason"] = metrics[DATA_NODES_REASON]
    least, most = GAIN_PERCENTAGES
    if (gain := told.get(DATA_NODES_GAIN)) is not None and least <= gain <= most:
        data["gainPercentage"] = round(gain)
    if metrics.get(CACHE) in CACHE_WORDS:
        data["cache"] = metrics[CACHE]
    if (bad_rows := numbers.get(BAD_ROWS)) is not None and bad_rows <= MAX_BAD_ROWS:
        data["badRows"] = round(bad_rows)
    return data
