"""Runs for rendering, where a test names only the fields that it is about, and ways into what is rendered."""

from __future__ import annotations

import copy
from typing import Any

from trainingrun.observed import RunObject, run_object_of
from trainingrun.render import RenderSettings

UID = "0d5f0c2e-6a55-4f0e-9d8c-1f3f5f0a7b11"
SETTINGS = RenderSettings()
WITH_ENDPOINT = RenderSettings(progress_url="https://progress.trainingrun-system.svc", progress_ca="certificates\n")


def run_object(
    document: dict[str, Any] | None = None, *, labels: dict[str, str] | None = None, **spec: Any
) -> RunObject:
    """The object of a document, or of a small run with these fields of its spec; both must be valid."""
    if document is None:
        fields = {"image": "trainer:1", "recipe": _RECIPE, "storage": {"uri": "s3://bucket/runs"}, **spec}
        document = {
            "apiVersion": "trainingrun.dev/v1beta1",
            "kind": "TrainingRun",
            "metadata": {"name": "digits"},
            "spec": {name: value for name, value in fields.items() if value is not None},
        }
    body = copy.deepcopy(document)
    body["metadata"] = {
        "namespace": "training",
        "uid": UID,
        **body["metadata"],
        **({"labels": labels} if labels else {}),
    }
    run = run_object_of(body)
    assert run.run is not None, run.problems
    return run


_RECIPE = {"dataset": {"train": {"format": "Parquet", "path": "/data/train"}}, "globalBatchSize": 5040}


def cluster_spec(manifest: dict[str, Any]) -> dict[str, Any]:
    """The cluster's spec in a RayJob or a RayCluster."""
    spec: dict[str, Any] = manifest["spec"]
    return spec.get("rayClusterSpec", spec)


def templates(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The pod templates by group."""
    cluster = cluster_spec(manifest)
    workers = {group["groupName"]: group["template"] for group in cluster["workerGroupSpecs"]}
    return {"head": cluster["headGroupSpec"]["template"], **workers}


def ray_container(template: dict[str, Any]) -> dict[str, Any]:
    """The container that KubeRay takes as Ray's."""
    container: dict[str, Any] = template["spec"]["containers"][0]
    return container


def variables_of(template: dict[str, Any]) -> dict[str, Any]:
    """The values of a pod's variables, or where they come from."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in ray_container(template)["env"]}
