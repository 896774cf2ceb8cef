"""The fields of `status` that the progress endpoint writes, of what a training program reports, and the whole status.

They come from a pod: the endpoint checks them against the limits here.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from trainingrun.contract.progress_protocol import MAX_METRICS, MAX_SECONDS
from trainingrun.status.fields import DataStatus, Metric, Status
from trainingrun.status.model import Count, StatusModel, Time

# From no rows at all, to more than any growth can bring.
GAIN_PERCENTAGES = -100, 1_000_000
# More than any run reads.
MAX_BAD_ROWS = 1_000_000_000_000

CacheWord = Literal["Hit", "Miss", "Partial"]
CACHE_WORDS = get_args(CacheWord)
Percentage = Annotated[int, Field(ge=0, le=100)]


class TrainerStatus(StatusModel):
    """What the training program reports. The fields are those of Kubeflow's TrainJob."""

    progress_percentage: Percentage | None = Field(
        default=None, description="Share of the training that is done, in percent, 0 to 100."
    )
    estimated_remaining_seconds: Annotated[int, Field(ge=0, le=MAX_SECONDS)] | None = Field(
        default=None, description="Estimated seconds until the training is done, 0 or more."
    )
    metrics: Annotated[tuple[Metric, ...], Field(max_length=MAX_METRICS)] | None = Field(
        default=None, description="Metrics of the training program, at most 256."
    )
    last_updated_time: Time | None = Field(default=None, description="When this was reported.")


class MeasuredDataStatus(DataStatus):
    """How the data group is doing, and whether it keeps up."""

    stall_percentage: Percentage | None = Field(
        default=None, description="Share of their time that trainers wait for data, in percent, 0 to 100."
    )
    cause: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, description="Main cause of the waiting, at most 128 characters."
    )
    rows_per_second: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Rows that are trained on per second, 0 or more."
    )
    wanted_nodes: Count | None = Field(
        default=None, description="Data nodes that the run wants now, numNodes to maxNodes; numNodes without maxNodes."
    )
    reason: Annotated[str, Field(max_length=256)] | None = Field(
        default=None,
        description="Why it wants so many, or what else would help, in a sentence of at most 256 characters.",
    )
    gain_percentage: Annotated[int, Field(ge=GAIN_PERCENTAGES[0], le=GAIN_PERCENTAGES[1])] | None = Field(
        default=None,
        description="How many more rows per second the group's last growth brings, in percent: "
        "expected until the nodes are there, then measured.",
    )
    cache: CacheWord | None = Field(
        default=None,
        description="Whether the cache has had all, none or some of what the newest pass through the training data has "
        "asked it for: Hit, Miss or Partial; missing without dataset.cache.",
    )
    bad_rows: Annotated[int, Field(ge=0, le=MAX_BAD_ROWS)] | None = Field(
        default=None,
        description="Rows of the training data that onBadRow has left out so far, counted in each epoch; steps that "
        "were lost and are trained again count once. Missing unless its action is Skip.",
    )


class RunStatus(Status):
    """What is known about a run. observedGeneration is -1 until the operator has seen it."""

    trainer_status: TrainerStatus | None = Field(default=None, description="What the training program reports.")
    data_status: MeasuredDataStatus | None = Field(
        default=None, description="How the data group is doing, and whether it keeps up."
    )
