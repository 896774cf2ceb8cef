"""A whole TrainingRun document: its metadata and its spec."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, Strict

from trainingrun.errors import Problem
from trainingrun.spec.code import Code
from trainingrun.spec.environment import Environment
from trainingrun.spec.groups import Data, Head, Trainer
from trainingrun.spec.model import LABEL_KEYS, DnsLabel, LabelName, LabelValue, Model, ObjectName, keys_match, text
from trainingrun.spec.patches import PodTemplatePatches
from trainingrun.spec.plain import MAX_ENTRIES
from trainingrun.spec.pod_metadata import PodMetadata
from trainingrun.spec.policy import MAX_SECONDS, ClusterTTL, FailurePolicy
from trainingrun.spec.recipe import Recipe
from trainingrun.spec.runtime_reference import RuntimeReference
from trainingrun.spec.storage import NameReference, Storage
from trainingrun.spec.topology import Topology
from trainingrun.spec.tracking import Tracking
from trainingrun.spec.volumes import VolumeMounts, Volumes

MetadataLabels = Annotated[dict[str, LabelValue], Field(max_length=MAX_ENTRIES), AfterValidator(LABEL_KEYS)]
Annotations = Annotated[
    dict[str, Annotated[str, text(262_144, min_length=0)]],
    Field(max_length=MAX_ENTRIES),
    AfterValidator(keys_match(r".{1,317}", 317, "1 to 317 characters")),
]
Image = Annotated[str, text(500, pattern=r"^[!-~]+$", words="a container image without spaces")]


class Metadata(Model):
    """Identity of the run. Kubernetes' own keys (managedFields and the like) are dropped silently."""

    model_config = ConfigDict(extra="ignore")

    name: LabelName = Field(description="Name of the run, an RFC 1035 label of at most 63 characters.")
    namespace: DnsLabel | None = Field(
        default=None, description="Namespace, at most 63 characters; set by Kubernetes if not given."
    )
    uid: Annotated[str, text(64, pattern=r"^[A-Za-z0-9-]+$", words="letters, digits and '-'")] | None = Field(
        default=None, description="Identity of the object, at most 64 characters; set by Kubernetes."
    )
    labels: MetadataLabels = Field(default={}, description="Labels, at most 1,000.")
    annotations: Annotations = Field(
        default={}, description="Annotations, at most 1,000 of at most 262,144 characters."
    )


class RunSpec(Model):
    """What to train, on which nodes, and what to do when something fails."""

    runtime_ref: RuntimeReference | None = Field(
        default=None,
        description="Runtime that gives what is left out here, image and storage too; none if not given.",
    )
    image: Image = Field(description="Image of all pods, which must contain trainingrun_trainer, 1 to 500 characters.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        default=None, description="When the image is pulled; default: Kubernetes' own rule."
    )
    image_pull_secrets: Annotated[tuple[NameReference, ...], Strict(False)] = Field(
        default=(), max_length=10, description="Secrets to pull the image with, at most 10."
    )
    service_account_name: ObjectName | None = Field(
        default=None,
        description="Service account of all pods, at most 253 characters: their identity for a cloud. None of them "
        "gets its token for the Kubernetes API. Default: the namespace's own.",
    )
    code: Code | None = Field(
        default=None,
        description="Code of the author's that is not in the image, found before the image's; none if not given.",
    )
    env: Environment = Field(default=(), description="Environment variables of all pods, at most 256.")
    volumes: Volumes = Field(
        default=(), description="Volumes beside the one of storage, at most 16, each mounted somewhere."
    )
    volume_mounts: VolumeMounts = Field(
        default=(), description="Mounts of all pods, at most 32; those of only one group are in trainer and data."
    )
    recipe: Recipe | None = Field(
        default=None,
        description="What the built-in entrypoint trains; exactly one of this and trainer.command.",
    )
    trainer: Trainer = Field(default=Trainer(), description="The GPU worker group, where the model trains.")
    data: Data = Field(default=Data(), description="The CPU worker group, where rows are read and preprocessed.")
    head: Head = Field(default=Head(), description="The coordinating pod.")
    storage: Storage = Field(description="Where checkpoints and results go.")
    tracking: Tracking = Field(default=Tracking(), description="What other tools get of the run's curves.")
    suspend: bool = Field(default=False, description="Whether to save a checkpoint, stop and release the run's pods.")
    backoff_limit: int = Field(
        default=3,
        ge=0,
        le=100,
        description="Failed attempts that are retried, 0 to 100; preemptions do not count.",
    )
    start_deadline_seconds: int = Field(
        default=3600,
        ge=1,
        le=MAX_SECONDS,
        description="Seconds in which an admitted attempt must start training, 1 to 31,536,000.",
    )
    active_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        le=MAX_SECONDS,
        description="Seconds that the run may be active in total, 1 to 31,536,000; no limit if not given.",
    )
    progress_deadline_seconds: int = Field(
        default=1800,
        ge=1,
        le=MAX_SECONDS,
        description="Seconds without a step, or before the first one, that count as a hang, 1 to 31,536,000.",
    )
    termination_grace_period_seconds: int = Field(
        default=60,
        ge=30,
        le=3600,
        description="Seconds that a terminating pod has to save a checkpoint and end, 30 to 3,600.",
    )
    failure_policy: FailurePolicy = Field(default=FailurePolicy(), description="What to do about each failure.")
    cluster_ttl_seconds_after_finished: ClusterTTL = Field(
        default=ClusterTTL(),
        alias="clusterTTLSecondsAfterFinished",
        description="How long the Ray cluster of a finished attempt is kept.",
    )
    topology: Topology | None = Field(
        default=None,
        description="How near to each other trainers are placed: a pod affinity, or Kueue's topology in a queue.",
    )
    pod_metadata: Annotated[tuple[PodMetadata, ...], Strict(False)] = Field(
        default=(), max_length=3, description="Labels and annotations of pods, at most one entry per target."
    )
    pod_template_patches: PodTemplatePatches = Field(
        default=(), description="Scheduling fields of pods, at most one entry per target."
    )

    def broken_rules(self) -> Iterable[Problem]:
        """At most one entry per target."""
        for field, entries in (
            ("podMetadata", self.pod_metadata),
            ("podTemplatePatches", self.pod_template_patches),
        ):
            targets = [entry.target for entry in entries]
            for index, target in enumerate(targets):
                if target in targets[:index]:
                    yield Problem(f"{field}[{index}].target", f"{target} again", "each target once")


def initial_run(spec: RunSpec) -> str | None:
    """The name of the run whose checkpoint this one is to start from, if it names one."""
    initial = spec.recipe.initial_checkpoint if spec.recipe is not None else None
    return initial.run if initial is not None else None


class Run(Model):
    """A parsed TrainingRun. Only `trainingrun.spec.parse` makes it, and checks the rules between parts."""

    api_version: Literal["trainingrun.dev/v1beta1"] = Field(description="Version of this API.")
    kind: Literal["TrainingRun"] = Field(description="Kind of this document.")
    metadata: Metadata = Field(description="Identity of the run.")
    spec: RunSpec = Field(description="What to train, on which nodes, and what to do when something fails.")

    def to_document(self) -> dict[str, Any]:
        """The document again, as plain JSON values: what was given, with cpu and memory limits filled in.

        Other defaults are not written; `parse(run.to_document()) == run`.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
