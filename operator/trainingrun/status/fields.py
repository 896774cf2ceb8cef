"""The fields of `status` as the reconciler writes them, and nothing about how they come about.

What the progress endpoint writes is in `reported_fields`. What an attempt's entry holds must suffice to continue after
a restart of the operator, since nothing else is remembered.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from trainingrun.contract.progress_metrics import MOST_OF_CHECKPOINT
from trainingrun.status.conditions import Condition
from trainingrun.status.model import Count, StatusModel, Text, Time

MAX_ATTEMPTS = 10
MAX_TEMPLATE_FIELDS = 64
# A RayJob's label and name must be able to hold the number.
MAX_INDEX = 99_999_999

Outcome = Literal["Pending", "Running", "Complete", "Failed", "Suspended"]
State = Literal[
    "Pending",
    "Queued",
    "Starting",
    "Running",
    "Restarting",
    "Suspending",
    "Suspended",
    "Complete",
    "Failed",
    "Invalid",
]
Activity = Literal["Queued", "Startup", "Training", "Restarting", "Suspended"]


class HeadFailure(StatusModel):
    """What was seen of the end of the head's pod before KubeRay replaces it."""

    failure_class: Text = Field(description="Class of the failure.")
    message: Text = Field(default="", description="Kubernetes' message, at most 1024 characters.")
    node: Text = Field(default="", description="Node of the pod.")
    pod: Text = Field(default="", description="Name of the pod.")


class Suspicion(StatusModel):
    """A failure of the newest attempt, or of the run, that ends it unless it turns out to be none.

    What is seen is not always true, or may heal, or may have a cause that is seen a moment later.
    """

    attempt: int = Field(ge=-1, le=MAX_INDEX, description="Number of the attempt; -1 before the first.")
    failure_class: Text = Field(description="Class of the failure.")
    message: Text = Field(default="", description="Why it is suspected, at most 1,024 characters.")
    exit_code: int | None = Field(default=None, description="Exit code of the driver, if it ended with one.")
    node: Text = Field(default="", description="Node on which it was seen.")
    pod: Text = Field(default="", description="Pod on which it was seen.")
    has_ended: bool = Field(default=False, description="Whether the attempt has ended, and only the cause is open.")
    since: Time = Field(description="Since when this has been seen at every look.")
    until: Time = Field(description="When it becomes final if it is still seen then.")


class Attempt(StatusModel):
    """One attempt, that is one RayJob."""

    index: int = Field(ge=0, le=MAX_INDEX, description="Number of the attempt; the first is 0.")
    ray_job_name: Text = Field(default="", description="Name of its RayJob.")
    ray_job_uid: Text | None = Field(
        default=None, alias="rayJobUID", description="Uid of its RayJob; missing until the RayJob has been seen."
    )
    outcome: Outcome = Field(description="Its current state, or how it ended.")
    failure_class: Text | None = Field(default=None, description="Class of the failure, when it failed.")
    exit_code: int | None = Field(default=None, description="Exit code of the driver, when it failed with one.")
    node: Text | None = Field(default=None, description="Node on which the cause of the failure was seen.")
    pod: Text | None = Field(default=None, description="Pod on which the cause of the failure was seen.")
    message: Text | None = Field(default=None, description="Why it failed, at most 1 KiB.")
    recorded_time: Time | None = Field(default=None, description="When the attempt was decided on.")
    start_time: Time | None = Field(default=None, description="When its RayJob was first seen admitted.")
    end_time: Time | None = Field(default=None, description="When it ended.")
    resumed_from: Text | None = Field(default=None, description="Checkpoint that it resumed from, as it reported.")
    running_since: Time | None = Field(
        default=None, description="Since when its training program runs, on this head; missing while it does not."
    )
    head_restarts: Count = Field(default=0, description="Times that its head was lost and started again.")
    preemptions: Count = Field(default=0, description="Times that it was preempted and continued.")
    counted: bool = Field(default=False, description="Whether its failure counts against backoffLimit.")
    retry_time: Time | None = Field(
        default=None, description="When it failed and another attempt follows: the earliest time of that attempt."
    )
    create_retry_time: Time | None = Field(
        default=None, description="When its RayJob, which the API server refused, will be created again."
    )
    admitted: bool = Field(default=False, description="Whether its RayJob is admitted, not suspended by a queue.")
    stopping: bool = Field(default=False, description="Whether it is being ended because the run was suspended.")
    ray_cluster_name: Text | None = Field(default=None, description="RayCluster of the last seen head.")
    head_pod_uid: Text | None = Field(default=None, alias="headPodUID", description="Uid of the head's pod.")
    former_head_pod_uids: tuple[Text, ...] | None = Field(
        default=None,
        alias="formerHeadPodUIDs",
        max_length=10,
        description="Uids of the last 10 heads before it, so that none is mistaken for a new one.",
    )
    head_container_restarts: Count | None = Field(
        default=None, description="Times that the kubelet has started Ray again in the head's pod, as last seen."
    )
    head_failure: HeadFailure | None = Field(default=None, description="What was seen of this head's end.")

    @property
    def is_finished(self) -> bool:
        """Whether it has ended for good: its outcome never changes again."""
        return self.outcome in ("Complete", "Failed", "Suspended")

    @property
    def is_live(self) -> bool:
        """Whether its RayJob is meant to exist and to train."""
        return not self.is_finished and not self.stopping


class Usage(StatusModel):
    """How the run's time was spent, up to `since`; what has been going on since then is `activity`."""

    queued_seconds: Count = Field(default=0, description="Seconds in a queue.")
    startup_seconds: Count = Field(default=0, description="Seconds from admission to the start of training.")
    training_seconds: Count = Field(default=0, description="Seconds in which the training program ran.")
    restarting_seconds: Count = Field(default=0, description="Seconds while attempts ended and between attempts.")
    suspended_seconds: Count = Field(default=0, description="Seconds suspended, with all pods gone.")
    active_seconds: Count = Field(
        default=0, description="Seconds of startup, training and restarting, which activeDeadlineSeconds limits."
    )
    activity: Activity | None = Field(default=None, description="What the run is doing now; missing when it is over.")
    since: Time | None = Field(default=None, description="When this activity began.")


class Metric(StatusModel):
    """A metric of the training program."""

    name: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="Name of the metric, 1 to 128 characters."
    )
    value: Annotated[str, Field(max_length=1024)] = Field(description="Its value as text, at most 1024 characters.")


class StoredCheckpoint(StatusModel):
    """A checkpoint in storage."""

    uri: Annotated[str, Field(max_length=4096)] = Field(description="Where it is stored; on a claim, pvc://CLAIM/PATH.")
    step: Count | None = Field(default=None, description="Optimizer step at which it was saved.")
    metrics: Annotated[tuple[Metric, ...], Field(max_length=MOST_OF_CHECKPOINT)] | None = Field(
        default=None, description="Metrics that it was saved with, at most 32."
    )


class Outputs(StatusModel):
    """What the run has produced."""

    folder_uri: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None, alias="folderURI", description="The run's folder, with its checkpoints and records."
    )
    last: StoredCheckpoint | None = Field(default=None, description="The newest checkpoint.")
    best: StoredCheckpoint | None = Field(
        default=None, description="A copy of the best checkpoint's state, where storage.checkpoints.best is given."
    )


class Provenance(StatusModel):
    """What the run trains with, which later runs can be compared by."""

    code_digest: Text | None = Field(
        default=None, description="Digest of spec.code, which every pod has checked: sha256: and 64 digits."
    )


class DataStatus(StatusModel):
    """The data group; the progress endpoint writes the measured fields next to it."""

    ready_nodes: Count = Field(default=0, description="Pods of the data group that are ready.")


class Links(StatusModel):
    """Where to look further."""

    dashboard_url: Text | None = Field(
        default=None, alias="dashboardURL", description="Ray's dashboard, inside the cluster."
    )


class RuntimeSnapshot(StatusModel):
    """The runtime as it was when it was merged into the run: what becomes of it later changes no run."""

    kind: Text = Field(default="", description="Its kind.")
    name: Text = Field(default="", description="Its name.")
    uid: Text = Field(default="", description="Its uid.")
    generation: Count = Field(default=0, description="Its generation.")
    template: Annotated[dict[str, JsonValue], Field(max_length=MAX_TEMPLATE_FIELDS)] = Field(
        description="Its template: what it gives to the run, at most 64 fields."
    )


class Status(StatusModel):
    """What the operator says about a run."""

    observed_generation: int = Field(description="Generation of the run that this status refers to.")
    state: State = Field(description="One word for people; programs should read the conditions.")
    conditions: tuple[Condition, ...] = Field(max_length=16, description="What holds and what does not.")
    runtime: RuntimeSnapshot | None = Field(
        default=None, description="What was merged into the spec of a run with runtimeRef."
    )
    start_time: Time | None = Field(default=None, description="When the first attempt was admitted.")
    completion_time: Time | None = Field(default=None, description="When the run completed or failed.")
    attempts: tuple[Attempt, ...] | None = Field(
        default=None, max_length=MAX_ATTEMPTS, description="The last 10 attempts, oldest first."
    )
    failures: Count = Field(default=0, description="Failures so far that count against backoffLimit.")
    suspected: Suspicion | None = Field(
        default=None, description="A failure that is seen but must hold for a while before it counts."
    )
    pods: Text | None = Field(default=None, description="Ready pods out of all pods, for example 5/7.")
    usage: Usage | None = Field(default=None, description="How the run's time was spent.")
    initial_checkpoint: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None, description="What recipe.initialCheckpoint has the run start from."
    )
    outputs: Outputs | None = Field(default=None, description="What the run has produced.")
    provenance: Provenance | None = Field(default=None, description="What the run trains with.")
    data_status: DataStatus | None = Field(default=None, description="How the data group is doing.")
    links: Links | None = Field(default=None, description="Where to look further.")
