"""Runs as people write them, and what KubeRay and the kubelet make of them once they train, written in their place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from kubelet_double import ready

from bench.control_plane.client import Object, PlainClient, each
from trainingrun.contract.labels import RAY_API_VERSION
from trainingrun.kube import Resource
from trainingrun.kube.resources import PODS, RAY_CLUSTERS, RAY_JOBS, TRAINING_RUNS
from trainingrun.observed import run_object_of
from trainingrun.render import RenderSettings, ray_job

_SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "minimal.yaml"
_STARTED = "2026-01-01T00:00:00Z"


def documents(names: list[str]) -> list[Object]:
    """The smallest sample under other names."""
    sample = yaml.safe_load(_SAMPLE.read_text())
    return [{**sample, "metadata": {"name": name}} for name in names]


def run_names(first: int, last: int) -> list[str]:
    """Names of runs by number, without the last."""
    return [f"run-{number:05d}" for number in range(first, last)]


def rendered(run: Object) -> Object:
    """The RayJob of a stored run's first attempt."""
    return ray_job(run_object_of(run), 0, RenderSettings("http://127.0.0.1:1"))


async def write_training_runs(client: PlainClient, namespace: str, names: list[str]) -> None:
    """Runs that train with all their pods ready; only their own status is left to the operator."""

    async def write(document: Object) -> None:
        run = await client.send("POST", TRAINING_RUNS.path(namespace), document)
        job = await _stored(client, RAY_JOBS, namespace, rendered(run))
        cluster = await _stored(client, RAY_CLUSTERS, namespace, _cluster(job))
        for pod in _pods(job, cluster):
            await _stored(client, PODS, namespace, pod)

    await each(documents(names), write)


async def _stored(client: PlainClient, resource: Resource, namespace: str, body: Object) -> Object:
    """Create the object, then give it its status, for which the API server wants a second write."""
    made = await client.send("POST", resource.path(namespace), body)
    status = ready(made) if resource is PODS else body["status"] if "status" in body else _job_status(made)
    return await put_status(client, resource, {**made, "status": {**made.get("status", {}), **status}})


async def put_status(client: PlainClient, resource: Resource, body: Object) -> Object:
    """Replace an object's status, if nobody else has since."""
    metadata = body["metadata"]
    return await client.send("PUT", resource.path(metadata["namespace"], metadata["name"], "status"), body)


def _job_status(job: Object) -> Object:
    name = job["metadata"]["name"]
    return {
        "jobId": name,
        "rayClusterName": f"{name}-c",
        "dashboardURL": f"{name}-c-head-svc.{job['metadata']['namespace']}.svc.cluster.local:8265",
        "jobStatus": "RUNNING",
        "jobDeploymentStatus": "Running",
        "startTime": _STARTED,
    }


def _cluster(job: Object) -> Object:
    spec = copy.deepcopy(job["spec"]["rayClusterSpec"])
    conditions = [
        {"type": kind, "status": "True", "reason": kind, "message": "", "lastTransitionTime": _STARTED}
        for kind in ("HeadPodReady", "RayClusterProvisioned")
    ]
    workers = sum(group["replicas"] for group in spec["workerGroupSpecs"])
    return {
        "apiVersion": RAY_API_VERSION,
        "kind": RAY_CLUSTERS.kind,
        "metadata": {
            "name": job["status"]["rayClusterName"],
            "labels": job["metadata"]["labels"],
            "ownerReferences": [_owner(job)],
        },
        "spec": spec,
        "status": {
            "state": "ready",
            "conditions": conditions,
            "desiredWorkerReplicas": workers,
            "readyWorkerReplicas": workers,
            "availableWorkerReplicas": workers,
        },
    }


def _pods(job: Object, cluster: Object) -> list[Object]:
    spec = job["spec"]["rayClusterSpec"]
    templates = [spec["headGroupSpec"]["template"]]
    for group in spec["workerGroupSpecs"]:
        templates += [group["template"]] * group["replicas"]
    return [_pod(template, cluster, number) for number, template in enumerate(templates)]


def _pod(template: dict[str, Any], cluster: Object, number: int) -> Object:
    pod = copy.deepcopy(template)
    metadata = {**pod["metadata"], "name": f"{cluster['metadata']['name']}-{number}"}
    metadata["ownerReferences"] = [_owner(cluster)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**pod["spec"], "nodeName": "node"}}


def _owner(body: Object) -> Object:
    names = {key: body["metadata"][key] for key in ("name", "uid")}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "controller": True, **names}
