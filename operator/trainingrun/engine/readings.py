"""What the engine keeps of a body: its projection, its version, and the run that it belongs to. Pure.

It must not know what was known before, except for a run, whose spec need not be parsed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from trainingrun.contract.labels import RUN_UID_KEY
from trainingrun.kube.resources import PODS, RAY_CLUSTERS, RAY_JOBS, RUNTIMES, TRAINING_RUNS
from trainingrun.observed import (
    Pod,
    RayCluster,
    RayJob,
    RunObject,
    RuntimeObject,
    pod_of,
    ray_cluster_of,
    ray_job_of,
    run_object_of,
    runtime_of,
)

Body = Mapping[str, Any]
Child = RayJob | RayCluster | Pod
READERS: dict[str, Callable[[Body], Child]] = {
    RAY_JOBS.kind: ray_job_of,
    RAY_CLUSTERS.kind: ray_cluster_of,
    PODS.kind: pod_of,
}
_RUNTIME_KINDS = tuple(resource.kind for resource in RUNTIMES)
KINDS = (TRAINING_RUNS.kind, *READERS, *_RUNTIME_KINDS)


class Reading(NamedTuple):
    """What a body says of an object. `value` is None if nobody needed to look, since this version is known."""

    uid: str
    version: int
    run_uid: str = ""
    value: RunObject | RuntimeObject | Child | None = None


def read(kind: str, body: Body, before: RunObject | None) -> Reading:
    """Read a body. `before` is what the same run was."""
    uid, version = str(body["metadata"]["uid"]), version_of(body["metadata"])
    if kind == TRAINING_RUNS.kind:
        return Reading(uid, version, uid, run_object_of(body, before))
    if kind in _RUNTIME_KINDS:
        return Reading(uid, version, value=runtime_of(kind, body))
    child = READERS[kind](body)
    return Reading(uid, version, _run_uid(child, body), child)


def version_of(metadata: Body) -> int:
    """A resource version as a number, 0 for none: they are compared only to tell older from newer of one kind."""
    text = str(metadata.get("resourceVersion", ""))
    return int(text) if text.isascii() and text.isdigit() else 0


def _run_uid(child: Child, body: Body) -> str:
    """The run that a child belongs to: its controller's uid, or its label's where Ray is its controller."""
    if isinstance(child, RayJob):
        return child.owner_uid or str((body["metadata"].get("labels") or {}).get(RUN_UID_KEY, ""))
    return child.run_uid
