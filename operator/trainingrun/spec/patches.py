"""The few pod fields that a run's author may set for scheduling; everything else in a pod is ours."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, Strict

from trainingrun.spec.model import Labels, LabelValue, Model, ObjectName, text

Target = Literal["Head", "Data", "Trainer"]
PodObject = Annotated[dict[str, JsonValue], Field(max_length=64)]


class Toleration(Model):
    """A taint that pods tolerate, as in a pod's spec."""

    key: Annotated[str, text(317)] | None = Field(default=None, description="Key of the taint, at most 317 characters.")
    operator: Literal["Exists", "Equal"] | None = Field(
        default=None, description="How value is compared; Equal if not given."
    )
    value: LabelValue | None = Field(default=None, description="Value of the taint, at most 63 characters.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint; all effects if not given."
    )
    toleration_seconds: int | None = Field(
        default=None,
        ge=0,
        le=31_536_000,
        description="Seconds to stay after a NoExecute taint, 0 to 31,536,000; forever if not given.",
    )


class PodPatch(Model):
    """Scheduling fields, as in a pod's spec."""

    node_selector: Labels | None = Field(default=None, description="Labels that nodes must have, at most 64.")
    tolerations: Annotated[tuple[Toleration, ...], Strict(False)] | None = Field(
        default=None, max_length=32, description="Taints to tolerate, at most 32."
    )
    affinity: PodObject | None = Field(default=None, description="As in a pod's spec, at most 64 keys.")
    priority_class_name: ObjectName | None = Field(default=None, description="At most 253 characters.")
    runtime_class_name: ObjectName | None = Field(default=None, description="At most 253 characters.")
    scheduler_name: ObjectName | None = Field(default=None, description="At most 253 characters.")
    topology_spread_constraints: Annotated[tuple[PodObject, ...], Strict(False)] | None = Field(
        default=None,
        max_length=16,
        description="As in a pod's spec, at most 16 of at most 64 keys.",
    )


class PodTemplatePatch(Model):
    """Scheduling fields for the pods of one group."""

    target: Target = Field(description="The pods to patch.")
    spec: PodPatch = Field(description="The fields to set.")
