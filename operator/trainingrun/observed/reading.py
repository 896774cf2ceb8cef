"""Reads projections of what a run is made of from the JSON of the API server.

It must accept whatever an API server may send: fields that are missing are empty, never an error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from trainingrun.contract.labels import ATTEMPT_KEY, RAY_GROUP_KEY, RUN_UID_KEY
from trainingrun.contract.pods import PROGRESS_CA_ANNOTATION
from trainingrun.observed.objects import Pod, RayCluster, RayJob, Termination, Waiting

# Of the 20,000 characters of logs that Ray puts into a message, users read the last ones.
MAX_MESSAGE = 4096
EPOCH = datetime.fromtimestamp(0, UTC)
# Ray's message in ray.dashboard.modules.job.job_supervisor; the only place where the exit code reaches a RayJob.
_EXIT_CODE = re.compile(r"failed with exit code (-?\d+)")

Body = Mapping[str, Any]


def ray_job_of(body: Body) -> RayJob:
    """The RayJob of an attempt."""
    metadata, status = body["metadata"], body.get("status") or {}
    message = status.get("message") or ""
    code = _EXIT_CODE.search(message)
    return RayJob(
        namespace=shared(metadata.get("namespace", "")),
        name=metadata["name"],
        uid=metadata["uid"],
        owner_uid=_controller_uid(metadata),
        attempt=_attempt(metadata),
        created=time_of(metadata.get("creationTimestamp")) or EPOCH,
        deleting="deletionTimestamp" in metadata,
        suspended=bool((body.get("spec") or {}).get("suspend")),
        job_status=shared(status.get("jobStatus") or ""),
        deployment_status=shared(status.get("jobDeploymentStatus") or ""),
        reason=status.get("reason") or "",
        message=message[-MAX_MESSAGE:],
        exit_code=int(code[1]) if code else None,
        ray_cluster_name=status.get("rayClusterName") or "",
        dashboard_url=status.get("dashboardURL") or "",
        started=time_of(status.get("startTime")),
        ended=time_of(status.get("endTime")),
    )


def ray_cluster_of(body: Body) -> RayCluster:
    """The RayCluster of an attempt; KubeRay copies the RayJob's labels to it."""
    metadata, status = body["metadata"], body.get("status") or {}
    conditions = {condition.get("type"): condition for condition in status.get("conditions") or ()}
    return RayCluster(
        namespace=shared(metadata.get("namespace", "")),
        name=metadata["name"],
        uid=metadata["uid"],
        run_uid=_label(metadata, RUN_UID_KEY),
        attempt=_attempt(metadata),
        deleting="deletionTimestamp" in metadata,
        state=shared(status.get("state") or ""),
        desired_workers=status.get("desiredWorkerReplicas") or 0,
        ready_workers=status.get("readyWorkerReplicas") or 0,
        head_waiting=_words_when(conditions.get("HeadPodReady"), "False"),
        replica_failure=_words_when(conditions.get("ReplicaFailure"), "True"),
        owner_uid=_controller_uid(metadata),
    )


def pod_of(body: Body) -> Pod:
    """A pod of an attempt; the renderer's labels are on every template."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    conditions = {condition.get("type"): condition for condition in status.get("conditions") or ()}
    unschedulable = _words_when(conditions.get("PodScheduled"), "False")
    disrupted = _words_when(conditions.get("DisruptionTarget"), "True")
    started = {container.get("name") or "": container for container in status.get("containerStatuses") or ()}
    containers = [*(status.get("initContainerStatuses") or ()), *started.values()]
    # KubeRay takes the first container as Ray's.
    ray = started.pop(((spec.get("containers") or [{}])[0]).get("name") or "", {})
    owner = _controller(metadata)
    cluster = owner if owner.get("kind") == "RayCluster" else {}
    return Pod(
        namespace=shared(metadata.get("namespace", "")),
        name=metadata["name"],
        uid=metadata["uid"],
        run_uid=_label(metadata, RUN_UID_KEY),
        attempt=_attempt(metadata),
        group=_label(metadata, RAY_GROUP_KEY),
        node=shared(spec.get("nodeName") or ""),
        phase=shared(status.get("phase") or ""),
        ready=(conditions.get("Ready") or {}).get("status") == "True",
        deleting="deletionTimestamp" in metadata,
        created=time_of(metadata.get("creationTimestamp")) or EPOCH,
        cluster_uid=shared(cluster.get("uid") or ""),
        cluster_name=shared(cluster.get("name") or ""),
        waiting=tuple(_waiting(containers)),
        unschedulable=unschedulable[1] if unschedulable and unschedulable[0] == "Unschedulable" else None,
        disrupted=": ".join(filter(None, disrupted)) if disrupted else None,
        status_reason=status.get("reason") or "",
        status_message=status.get("message") or "",
        terminations=tuple(_terminations(containers)),
        restarts=ray.get("restartCount") or 0,
        ray_ready=bool(ray.get("ready")),
        lost_helper=_lost_helper(started.values()) if spec.get("restartPolicy") == "Never" else None,
        due=time_of(metadata.get("deletionTimestamp")),
        authority=shared((metadata.get("annotations") or {}).get(PROGRESS_CA_ANNOTATION, "")),
    )


def queue_message_of(workloads: Iterable[Body]) -> str | None:
    """Why Kueue holds a job back, by the job's Workloads: by the newest, since one that grows may have two."""
    newest = max(workloads, key=lambda body: body["metadata"].get("creationTimestamp") or "", default={})
    conditions = {entry.get("type"): entry for entry in (newest.get("status") or {}).get("conditions") or ()}
    for kind in ("QuotaReserved", "Admitted"):
        words = _words_when(conditions.get(kind), "False")
        if words is not None and words[1]:
            return words[1][:MAX_MESSAGE]
    return None


def _waiting(containers: Iterable[Body]) -> Iterable[Waiting]:
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason") or ""
        # What every healthy pod reports.
        if reason and reason not in ("PodInitializing", "ContainerCreating"):
            yield Waiting(shared(container.get("name") or ""), reason, waiting.get("message") or "")


def _terminations(containers: Iterable[Body]) -> Iterable[Termination]:
    for container in containers:
        for when in ("lastState", "state"):
            ended = (container.get(when) or {}).get("terminated")
            if ended and ended.get("exitCode", 0) != 0:
                yield _termination(container, ended)


def _lost_helper(containers: Iterable[Body]) -> Termination | None:
    for container in containers:
        ended = (container.get("state") or {}).get("terminated")
        if ended:
            return _termination(container, ended)
    return None


def _termination(container: Body, ended: Body) -> Termination:
    return Termination(
        container=shared(container.get("name") or ""),
        exit_code=ended.get("exitCode") or 0,
        reason=ended.get("reason") or "",
        message=(ended.get("message") or "")[-MAX_MESSAGE:],
        finished=time_of(ended.get("finishedAt")),
    )


def _words_when(condition: Body | None, status: str) -> tuple[str, str] | None:
    if not condition or condition.get("status") != status:
        return None
    return condition.get("reason") or "", condition.get("message") or ""


def _controller(metadata: Body) -> Body:
    return next((owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")), {})


def _controller_uid(metadata: Body) -> str | None:
    uid = _controller(metadata).get("uid")
    return None if uid is None else str(shared(uid))


def _label(metadata: Body, key: str) -> str:
    return str(shared((metadata.get("labels") or {}).get(key, "")))


def _attempt(metadata: Body) -> int:
    """The attempt that the label names; -1 for an object that lost it, which belongs to no attempt."""
    text = _label(metadata, ATTEMPT_KEY)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def time_of(text: object) -> datetime | None:
    """An RFC 3339 time of the API server, or None."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC) if text else None
    except ValueError:
        return None


def shared(value: Any) -> Any:
    """A copy of a JSON value whose texts are one with all equal texts; they are forgotten with their last use."""
    if type(value) is str:
        return sys.intern(value)
    if type(value) is dict:
        return {sys.intern(key): shared(item) for key, item in value.items()}
    if type(value) is list:
        return [shared(item) for item in value]
    return value
