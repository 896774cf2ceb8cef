"""Where a run's curves go besides its own records and report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trainingrun.spec.model import Model, text
from trainingrun.spec.storage import NameReference

# No credentials in it: a spec is for everybody to read.
TrackingUri = Annotated[
    str,
    text(
        2048,
        pattern=r"^https?://[^\x00-\x20\x7f@]+$",
        words="an http:// or https:// address without '@': credentials belong into secretRef",
    ),
]
_Name = Annotated[str, text(128, pattern=r"^[^\x00-\x1f\x7f/\\#?%:]+$", words="text without any of / \\ # ? % :")]
_Title = Annotated[
    str,
    text(
        500,
        pattern=r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$",
        words="one line of text without spaces around it",
    ),
]


class MLflow(Model):
    """One MLflow run for the whole TrainingRun: its attempts continue it."""

    uri: TrackingUri = Field(description="Address of the tracking server, at most 2048 characters.")
    experiment: _Title = Field(
        default="Default", description="Experiment, made if it is missing, at most 500 characters."
    )
    secret_ref: NameReference | None = Field(
        default=None,
        description="Secret of which the head gets the keys MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and "
        "MLFLOW_TRACKING_PASSWORD.",
    )


class WeightsAndBiases(Model):
    """One run of Weights & Biases for the whole TrainingRun: its attempts continue it."""

    project: _Name = Field(description="Project, at most 128 characters.")
    entity: _Name | None = Field(
        default=None, description="User or team that has the project, at most 128 characters; default: the key's own."
    )
    mode: Literal["Online", "Offline"] = Field(
        default="Online",
        description="Offline writes to the run's folder instead, for `wandb sync`.",
    )
    secret_ref: NameReference | None = Field(
        default=None, description="Secret of which the head gets the key WANDB_API_KEY."
    )


class Tracking(Model):
    """What other tools get of a run's curves. None of them can hold up or end a run."""

    tensorboard: bool = Field(
        default=True, description="Whether event files for TensorBoard are written to the run's folder."
    )
    mlflow: MLflow | None = Field(default=None, description="MLflow's tracking server; none if not given.")
    wandb: WeightsAndBiases | None = Field(default=None, description="Weights & Biases; none if not given.")
