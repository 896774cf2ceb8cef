"""What of a progress report goes into a run's status. Pure.

The time of a report is when it came, not when it says it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trainingrun.contract.progress_metrics import (
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
from trainingrun.status.fields import GAIN_PERCENTAGES

# Beyond this, no rate or share is meant.
_TOO_MUCH = 1e15


@dataclass(frozen=True)
class ReportedStatus:
    """The part of a run's status that training reports. Two that are equal say the same, whenever they came."""

    trainer: dict[str, Any]
    data: dict[str, Any]

    @property
    def is_of_the_end(self) -> bool:
        """Whether all of training is done: what it says now, the run's status says for good."""
        return self.trainer.get("progressPercentage") == 100

    def status(self, time: datetime) -> dict[str, Any]:
        """The fields of status, for a report that came at this time."""
        trainer = {**self.trainer, "lastUpdatedTime": time.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return {"trainerStatus": trainer, **({"dataStatus": self.data} if self.data else {})}


def reported_status(report: ProgressReport) -> ReportedStatus:
    """What `report` says."""
    values = report.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"last_updated_time"})
    return ReportedStatus(trainer=values, data=_data_of(report))


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
    return data
