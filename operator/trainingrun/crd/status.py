"""The whole of `status`: what the reconciler writes, and beside it what the progress endpoint writes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from trainingrun.crd.structural import Structural
from trainingrun.status import model
from trainingrun.status.model import StatusModel, Time

MAX_METRICS = 256
# What every JSON reader can hold.
MAX_SECONDS = 2**53 - 1
# kstatus takes a run without status for a healthy one. No generation is -1, so this one is never up to date.
UNSEEN = {"observedGeneration": -1}

_Percentage = Annotated[int, Field(ge=0, le=100)]


class Metric(StatusModel):
    """A figure of the training program."""

    name: Annotated[str, Field(min_length=1, max_length=128)] = Field(description="What it is, 1 to 128 characters.")
    value: Annotated[str, Field(max_length=1024)] = Field(
        description="Its newest value as text, at most 1024 characters."
    )


class TrainerStatus(StatusModel):
    """What the training program reports. The fields are those of Kubeflow's TrainJob."""

    progress_percentage: _Percentage | None = Field(
        default=None, description="Share of the training that is done, in percent, 0 to 100."
    )
    estimated_remaining_seconds: Annotated[int, Field(ge=0, le=MAX_SECONDS)] | None = Field(
        default=None, description="Seconds until the training is done, estimated, 0 or more."
    )
    metrics: Annotated[tuple[Metric, ...], Field(max_length=MAX_METRICS)] | None = Field(
        default=None, description="Figures of the training program, at most 256."
    )
    last_updated_time: Time | None = Field(default=None, description="When this was reported.")


class DataStatus(model.DataStatus):
    """How the data group does, and whether it keeps up."""

    stall_percentage: _Percentage | None = Field(
        default=None, description="Share of their time that trainers wait for data, in percent, 0 to 100."
    )
    cause: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, description="What most of the waiting is for, at most 128 characters."
    )
    rows_per_second: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Rows that are trained on per second, 0 or more."
    )


class RunStatus(model.Status):
    """What is known of a run. observedGeneration is -1 until the operator has seen it."""

    trainer_status: TrainerStatus | None = Field(default=None, description="What the training program reports.")
    data_status: DataStatus | None = Field(
        default=None, description="How the data group does, and whether it keeps up."
    )


# As metav1.Condition has it: others may add conditions of their own.
_CONDITION = {
    "type": {"maxLength": 316, "pattern": r"^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$"},
    "reason": {"minLength": 1, "pattern": r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
}


def status_schema() -> dict[str, Any]:
    """The schema of `status`. None of its fields must be there: two managers write it, and first of all neither."""
    schema = Structural(RunStatus, fills_in=False).schema()
    del schema["required"]
    condition = schema["properties"]["conditions"]["items"]["properties"]
    for name, limits in _CONDITION.items():
        condition[name] |= limits
        condition[name].pop("enum", None)
    return {**schema, "default": UNSEEN}
