"""What an operator may see of one run: the run, its RayJobs, RayClusters and pods, in every phase of an attempt.

A test names only the fields that it is about.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from trainingrun.contract.labels import QUEUE_KEY
from trainingrun.lifecycle import decide
from trainingrun.lifecycle.new_status import written_part
from trainingrun.naming import ray_job_name
from trainingrun.observed import (
    Observed,
    Pod,
    RayCluster,
    RayJob,
    RunObject,
    Termination,
    Waiting,
    run_object_of,
)

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
UID = "5f4c1f0a"
QUEUED = {QUEUE_KEY: "ml"}
_RUNNING = {"deployment_status": "Running", "job_status": "RUNNING", "dashboard_url": "head.training.svc:8265"}
_PHASES: dict[str, dict[str, Any]] = {
    "New": {"ray_cluster_name": ""},
    "Queued": {"suspended": True, "ray_cluster_name": ""},
    "Starting": {"deployment_status": "Initializing"},
    "Running": _RUNNING,
    "Complete": {"deployment_status": "Complete", "job_status": "SUCCEEDED"},
    "Failed": {"deployment_status": "Failed", "job_status": "FAILED", "reason": "AppFailed"},
    "Stopped": {"deployment_status": "Complete", "job_status": "STOPPED"},
}


def at(seconds: float) -> datetime:
    """So many seconds after NOW, or before it."""
    return NOW + timedelta(seconds=seconds)


def text_of(time: datetime) -> str:
    """A time as the API server writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def a_run(
    *,
    status: dict[str, Any] | None = None,
    labels: dict[str, str] | None = None,
    generation: int = 1,
    deleting: bool = False,
    **spec: Any,
) -> RunObject:
    """A run of one trainer and one data node."""
    recipe = {"dataset": {"train": {"format": "Parquet", "path": "/data"}}}
    metadata: dict[str, Any] = {
        "namespace": "training",
        "name": "mnist",
        "uid": UID,
        "generation": generation,
        "resourceVersion": "7",
        "creationTimestamp": text_of(at(-60)),
        "labels": labels or {},
    }
    if deleting:
        metadata["deletionTimestamp"] = text_of(NOW)
    fields = {"image": "trainer:1", "recipe": recipe, "storage": {"uri": "s3://acme/runs"}, **spec}
    document = {"apiVersion": "trainingrun.dev/v1beta1", "kind": "TrainingRun", "metadata": metadata, "spec": fields}
    return run_object_of({**document, "status": status or {"observedGeneration": -1}})


def with_status(run: RunObject, status: dict[str, Any]) -> RunObject:
    """The run after its status was written."""
    return replace(run, status=status)


def entry(index: int = 0, outcome: str = "Running", **fields: Any) -> dict[str, Any]:
    """An attempt as status lists it, seen and running unless the fields say otherwise."""
    name = ray_job_name("mnist", UID, index)
    head = {"headPodUID": f"uid-mnist-{index}-head", "headContainerRestarts": 0, "rayClusterName": f"{name}-abcde"}
    seen = {} if outcome == "Pending" else {"startTime": text_of(at(-30)), "admitted": outcome == "Running", **head}
    if outcome == "Running":
        seen["runningSince"] = text_of(at(-30))
    return {
        "index": index,
        "outcome": outcome,
        "rayJobName": name,
        "rayJobUID": f"job-{index}",
        "recordedTime": text_of(at(-60)),
        **seen,
        **fields,
    }


def job(phase: str = "Running", attempt: int = 0, **fields: Any) -> RayJob:
    """The RayJob of an attempt."""
    name = ray_job_name("mnist", UID, attempt)
    known: dict[str, Any] = {
        "namespace": "training",
        "name": name,
        "uid": f"job-{attempt}",
        "owner_uid": UID,
        "attempt": attempt,
        "created": at(-60),
        "deleting": False,
        "suspended": False,
        "job_status": "",
        "deployment_status": "",
        "reason": "",
        "message": "",
        "exit_code": None,
        "ray_cluster_name": f"{name}-abcde",
        "dashboard_url": "",
        "started": None,
        "ended": None,
    }
    return RayJob(**{**known, **_PHASES[phase], **fields})


def ray_said(exit_code: int, log: str = "") -> dict[str, Any]:
    """The fields of a RayJob whose driver ended with this code, in Ray's words."""
    lead = f"Job entrypoint command failed with exit code {exit_code}, "
    message = f"{lead}last available logs (truncated to 20,000 chars):\n{log}"
    return {"exit_code": exit_code, "message": message}


def cluster(attempt: int = 0, **fields: Any) -> RayCluster:
    """The RayCluster of an attempt."""
    name = f"{ray_job_name('mnist', UID, attempt)}-abcde"
    known: dict[str, Any] = {
        "namespace": "training",
        "name": name,
        "uid": f"cluster-{attempt}",
        "run_uid": UID,
        "attempt": attempt,
        "deleting": False,
        "state": "",
        "desired_workers": 2,
        "ready_workers": 0,
        "head_waiting": None,
        "replica_failure": None,
        "owner_uid": f"job-{attempt}",
    }
    return RayCluster(**{**known, **fields})


def pod(group: str = "trainer", attempt: int = 0, **fields: Any) -> Pod:
    """A ready pod of an attempt."""
    name = fields.pop("name", f"mnist-{attempt}-{group}")
    known: dict[str, Any] = {
        "namespace": "training",
        "name": name,
        "uid": f"uid-{name}",
        "run_uid": UID,
        "attempt": attempt,
        "group": group,
        "node": "node-1",
        "phase": "Running",
        "ready": True,
        "deleting": False,
        "created": at(-50),
        "cluster_uid": f"cluster-{attempt}",
        "cluster_name": f"{ray_job_name('mnist', UID, attempt)}-abcde",
    }
    return Pod(**{**known, **fields})


def ended_container(
    reason: str = "OOMKilled", exit_code: int = 137, container: str = "ray-worker", message: str = ""
) -> tuple[Termination, ...]:
    """How a container of a pod ended at NOW."""
    return (Termination(container, exit_code, reason, message, NOW),)


def waits(reason: str, message: str = "", container: str = "ray-worker") -> tuple[Waiting, ...]:
    """What a container of a pod waits for."""
    return (Waiting(container, reason, message),)


def pods(attempt: int = 0, **fields: Any) -> tuple[Pod, ...]:
    """One pod of each group."""
    return tuple(pod(group, attempt, **fields) for group in ("head", "data", "trainer"))


def seen(phase: str = "Running", attempt: int = 0, *, ready: bool = True, **fields: Any) -> Observed:
    """Everything of one attempt: its RayJob with these fields, and from the start on its RayCluster and pods.

    Reports could arrive all the time.
    """
    ray_job, since = job(phase, attempt, **fields), at(-3600)
    if phase in ("New", "Queued"):
        return Observed(ray_jobs=(ray_job,), reports_since=since)
    return Observed((ray_job,), (cluster(attempt),), pods(attempt, ready=ready), reports_since=since)


def status(*entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A status that remembers these attempts."""
    started = {"startTime": text_of(at(-60))} if entries else {}
    return {"observedGeneration": 1, "attempts": list(entries), **started, **fields}


def suspected(failure_class: str, since: float = -600, *, message: str = "", has_ended: bool = False) -> dict[str, Any]:
    """What a status says of attempt 0 that has been seen since so many seconds before NOW."""
    times = {"since": text_of(at(since)), "until": text_of(at(since + 10))}
    return {"attempt": 0, "failureClass": failure_class, "message": message, "hasEnded": has_ended, **times}


def verdict(kind: str, reason: str, *entries: dict[str, Any]) -> dict[str, Any]:
    """The status of a run that is over."""
    condition = {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": "It is over.",
        "lastTransitionTime": text_of(NOW),
        "observedGeneration": 1,
    }
    return status(*entries, conditions=[condition], completionTime=text_of(NOW))


def status_of(run: RunObject, observed: Observed, now: datetime) -> dict[str, Any]:
    """The whole status that an operator has written, or would leave as it is, once it has decided about the run."""
    decision = decide(run, observed, now)
    return written_part(run.status) if decision.status is None else decision.status


def after_look(run: RunObject, observed: Observed, now: datetime = NOW) -> RunObject:
    """The run once an operator has looked at it and written its status."""
    kept = {key: value for key, value in run.status.items() if key not in written_part(run.status)}
    return with_status(run, {**kept, **status_of(run, observed, now)})


def settled(run: RunObject, observed: Observed, now: datetime = NOW) -> dict[str, Any]:
    """The status once whatever is suspected at `now` has been seen for as long as it must."""
    looked = after_look(run, observed, now)
    while "suspected" in looked.status:
        now = datetime.fromisoformat(looked.status["suspected"]["until"])
        looked = after_look(looked, observed, now)
    return dict(looked.status)


NOTHING = Observed()
