"""The conditions of a run: their types, every reason that they may carry, and how they change.

The documentation of conditions is generated from the descriptions here. Nothing here decides which condition holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

MAX_MESSAGE = 32_768


class _Described(StrEnum):
    """Words with a sentence each, which is also the docstring of the member."""

    description: str

    def __new__(cls, value: str, description: str) -> _Described:
        """A member that equals its word."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = member.__doc__ = description
        return member


class ConditionType(_Described):
    """What a condition is about. Every run has all of them from the moment that it is first seen."""

    ACCEPTED = "Accepted", "The operator can carry out the spec."
    ADMITTED = "Admitted", "The run may start pods: no queue holds it back."
    PODS_READY = "PodsReady", "All pods of the attempt are ready."
    DATA_STARVED = "DataStarved", "The trainers spend a large share of their time waiting for data."
    SUSPENDED = "Suspended", "The run is suspended and all its pods are gone."
    RECONCILING = "Reconciling", "The run is in progress (as kstatus defines it)."
    STALLED = "Stalled", "The run cannot continue unless a user acts (as kstatus defines it)."
    COMPLETE = "Complete", "Training is complete. Once true, it stays true."
    FAILED = "Failed", "The run has failed permanently. Once true, it stays true."


class Reason(_Described):
    """Why a condition has its status. The reasons of Failed are the classes of failure, `FailureClass`."""

    # Accepted
    VALID = "Valid", "The spec is valid."
    INVALID_SPEC = "InvalidSpec", "The spec is not valid; the message names every field that is wrong."
    FOLDER_IN_USE = "FolderInUse", "Another run, which the message names, has the folder in storage; this one waits."
    INITIAL_CHECKPOINT = (
        "InitialCheckpoint",
        "The run that recipe.initialCheckpoint names cannot be started from, for the reason in the message; this one "
        "waits.",
    )
    RUNTIME_NOT_FOUND = "RuntimeNotFound", "The runtime that the run names does not exist; the run begins once it does."
    # Admitted
    NOT_CREATED = "NotCreated", "The attempt has no RayJob yet."
    QUEUED = "Queued", "A queue has not admitted the attempt yet."
    PREEMPTED = "Preempted", "The nodes were preempted, by a queue or by the cluster."
    QUOTA_RESERVED = "QuotaReserved", "The queue has admitted the attempt."
    NOT_QUEUED = "NotQueued", "The run uses no queue."
    # PodsReady
    ALL_PODS_READY = "AllPodsReady", "The head and all workers are ready."
    PODS_STARTING = "PodsStarting", "Pods are being created or are starting."
    CONTAINER_ERROR = "ContainerError", "A container cannot start or keeps ending; the message is the kubelet's."
    UNSCHEDULABLE = "Unschedulable", "The scheduler finds no node for a pod; the message is the scheduler's."
    IMAGE_PULL = "ImagePull", "An image cannot be pulled; the message has the kubelet's words."
    RAY_UNAVAILABLE = "RayUnavailable", "KubeRay is missing or does not act on the RayJob."
    # Refusals of the API server
    QUOTA_EXCEEDED = "QuotaExceeded", "A ResourceQuota refuses what the run needs; retried slowly."
    ADMISSION_DENIED = (
        "AdmissionDenied",
        "An admission policy or webhook refuses what the run needs; retried slowly.",
    )
    POD_SECURITY_DENIED = (
        "PodSecurityDenied",
        "The namespace's Pod Security level refuses the pods; retried slowly.",
    )
    PERMISSION_DENIED = "PermissionDenied", "The operator lacks a permission that it needs; retried slowly."
    RENDER_REJECTED = (
        "RenderRejected",
        "The API server does not accept the operator's RayJob or its pods; retried slowly.",
    )
    REFUSED = "Refused", "The API server refuses a request for some other reason; retried slowly."
    NAME_CONFLICT = "NameConflict", "A RayJob with the name that the attempt needs belongs to someone else."
    # DataStarved
    NO_REPORT = "NoReport", "The attempt has not reported its data stall yet."
    STALL_ABOVE_LIMIT = "StallAboveLimit", "The trainers wait for data more than 20 % of the time."
    STALL_BELOW_LIMIT = "StallBelowLimit", "The trainers wait for data at most 20 % of the time."
    # Suspended, and between attempts
    NOT_SUSPENDED = "NotSuspended", "Suspension was not requested."
    SUSPENDING = "Suspending", "The attempt saves a checkpoint and ends, because suspension was requested."
    SUSPENDED = "Suspended", "The run is suspended because spec.suspend is true."
    # Reconciling
    PENDING = "Pending", "The first attempt has not been created yet."
    STARTING = "Starting", "The attempt's cluster is starting."
    TRAINING = "Training", "The attempt is training."
    RESTARTING = "Restarting", "An attempt has ended, and the next one will resume from the last checkpoint."
    # Stalled, Complete, Failed
    PROGRESSING = "Progressing", "No action is needed."
    POD_STUCK = "PodStuck", "A pod was to be gone an hour ago; usually its node does not answer."
    UNFINISHED = "Unfinished", "The run is not over."
    FINISHED = "Finished", "The run is over."
    TRAINING_COMPLETE = "TrainingComplete", "The training program succeeded."


# What the API server refuses, in whatever words.
REFUSALS = frozenset(
    {
        Reason.QUOTA_EXCEEDED,
        Reason.ADMISSION_DENIED,
        Reason.POD_SECURITY_DENIED,
        Reason.PERMISSION_DENIED,
        Reason.RENDER_REJECTED,
        Reason.REFUSED,
        Reason.NAME_CONFLICT,
        Reason.RAY_UNAVAILABLE,
    }
)


class Condition(BaseModel):
    """A condition of a run, in Kubernetes' standard form."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, validate_by_name=True)

    type: ConditionType = Field(description="Type of the condition.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Annotated[str, Field(max_length=1024)] = Field(description="Why, in one word.")
    message: Annotated[str, Field(max_length=MAX_MESSAGE)] = Field(description="Why, in a sentence.")
    last_transition_time: AwareDatetime = Field(description="When its status last changed.")
    observed_generation: int = Field(ge=0, description="Generation of the run that it refers to.")


def condition(
    kind: ConditionType,
    holds: bool | None,
    reason: str,
    message: str,
    *,
    generation: int,
    now: datetime,
    before: Mapping[ConditionType, Condition],
) -> Condition:
    """The condition as it is written. Its time is that of the last change of status, found in `before`."""
    status: Literal["True", "False", "Unknown"] = "Unknown" if holds is None else "True" if holds else "False"
    previous = before.get(kind)
    changed = previous is None or previous.status != status
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message[:MAX_MESSAGE],
        last_transition_time=now.replace(microsecond=0)
        if previous is None or changed
        else previous.last_transition_time,
        observed_generation=max(generation, 0),
    )


def conditions_of(listed: object, now: datetime) -> dict[ConditionType, Condition]:
    """The conditions of a status by type; of two of a type the first counts.

    One of which only type and status can be read is kept, as of now: it may be the one that says that all is over.
    """
    found: dict[ConditionType, Condition] = {}
    for entry in listed if isinstance(listed, list | tuple) else ():
        if isinstance(entry, Mapping) and (read := _readable(entry, now)) is not None:
            found.setdefault(read.type, read)
    return found


def _readable(entry: Mapping[Any, Any], now: datetime) -> Condition | None:
    least = {"type": entry.get("type"), "status": entry.get("status"), "reason": "", "message": ""}
    safe = {**least, "lastTransitionTime": now.replace(microsecond=0), "observedGeneration": 0}
    for candidate in ({**safe, **entry}, safe):
        try:
            return Condition.model_validate(candidate)
        except ValidationError:
            continue
    return None
