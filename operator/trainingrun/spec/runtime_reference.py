"""Which runtime a run takes its defaults from. What a runtime is, and how it is merged, is not known here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainingrun.spec.model import Model, ObjectName


class RuntimeReference(Model):
    """The runtime whose template fills in what a run leaves out."""

    kind: Literal["ClusterTrainingRuntime", "TrainingRuntime"] = Field(
        default="ClusterTrainingRuntime",
        description="ClusterTrainingRuntime for all namespaces, or a TrainingRuntime of the run's namespace.",
    )
    name: ObjectName = Field(description="Name of the runtime, at most 253 characters.")

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
