"""The few pod fields that a run's author may set for scheduling; everything else in a pod is ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import Field, JsonValue, Strict

from trainingrun.errors import Problem
from trainingrun.spec.model import Key, Labels, LabelValue, Model, ObjectName

Target = Literal["Head", "Data", "Trainer"]
PodObject = Annotated[dict[str, JsonValue], Field(max_length=64)]


class Toleration(Model):
    """A taint that pods tolerate, as in a pod's spec."""

    key: Key | None = Field(default=None, description="Key of the taint, at most 317 characters; all if not given.")
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

    def broken_rules(self) -> Iterable[Problem]:
        """What the API server would refuse in a pod."""
        if self.key is None and self.operator != "Exists":
            yield Problem("operator", self.operator or "nothing", "Exists, as there is no key")
        if self.operator == "Exists" and self.value:
            yield Problem("value", self.value, "no value, as operator is Exists")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            yield Problem("effect", self.effect or "nothing", "NoExecute, as tolerationSeconds is given")


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


PodTemplatePatches = Annotated[tuple[PodTemplatePatch, ...], Strict(False), Field(max_length=len(get_args(Target)))]
