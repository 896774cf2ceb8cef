"""What a training process may report, and what of it goes into a run's status. Pure.

The body comes from a pod, so nothing of it is taken on trust: every size is bounded, and the time of a report is when
it came, not when it says it was made.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from trainingrun.contract.labels import API_VERSION

MAX_BYTES = 64 * 1024
MAX_SECONDS = 2**53 - 1
_CAUSE = re.compile(r"dataStall([A-Z][A-Za-z]{0,63})Percentage")
# Part of the total, and no cause of it.
_NO_CAUSE = "Steady"


class InvalidReport(ValueError):
    """The body is not a report. The message is a sentence for whoever made it."""


class _Strict(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)


class _Metric(_Strict):
    name: Annotated[str, Field(min_length=1, max_length=128)]
    value: Annotated[str, Field(max_length=256)]


class _TrainerStatus(_Strict):
    progress_percentage: Annotated[int, Field(ge=0, le=100)] | None = None
    estimated_remaining_seconds: Annotated[int, Field(ge=0, le=MAX_SECONDS)] | None = None
    metrics: Annotated[tuple[_Metric, ...], Field(max_length=256, strict=False)] = ()
    last_updated_time: AwareDatetime | None = None


class _Body(_Strict):
    """Kubeflow Trainer's protocol, whose clients may also name the version and kind that they think they write."""

    api_version: Annotated[str, Field(max_length=253)] = API_VERSION
    kind: Annotated[str, Field(max_length=63)] = ""
    trainer_status: _TrainerStatus


@dataclass(frozen=True)
class Report:
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


def report_of(body: bytes) -> Report:
    """The report in a request's body. Raises `InvalidReport`."""
    try:
        status = _Body.model_validate_json(body).trainer_status
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise InvalidReport(f"{where}: {first['msg']}") from error
    values = status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"last_updated_time"})
    return Report(trainer=values, data=_data_of({metric.name: metric.value for metric in status.metrics}))


def _data_of(metrics: dict[str, str]) -> dict[str, Any]:
    """How well the trainers are fed, from the metrics that say so."""
    data: dict[str, Any] = {}
    stall = _number(metrics.get("dataStallPercentage"))
    if stall is not None:
        data["stallPercentage"] = round(min(stall, 100.0))
    causes = {
        match[1]: share
        for name, value in metrics.items()
        if (match := _CAUSE.fullmatch(name)) and match[1] != _NO_CAUSE and (share := _number(value))
    }
    if causes:
        data["cause"] = max(causes, key=lambda cause: (causes[cause], cause))
    rate = _number(metrics.get("rowsPerSecond"))
    if rate is not None:
        data["rowsPerSecond"] = rate
    return data


def _number(text: str | None) -> float | None:
    """A number that is at least 0, or None for anything else."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 <= number < 1e15 else None
