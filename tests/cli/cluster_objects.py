"""What a cluster holds of a run, as the tests of the command line need it."""

from __future__ import annotations

import base64
from typing import Any

Object = dict[str, Any]
TOKEN = "of-the-ray-cluster"


def run(name: str = "mnist", state: str = "Running", *true: str, namespace: str = "training", **status: Any) -> Object:
    """A run in this state, whose conditions named in `true` hold."""
    conditions = [
        {"type": kind, "status": "True", "reason": status.pop(f"{kind}_reason", kind), "message": f"words of {kind}"}
        for kind in true
    ]
    return {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-of-{name}",
            "resourceVersion": "7",
            "generation": 1,
            "creationTimestamp": "2026-09-01T10:00:00Z",
            "managedFields": [{"manager": "somebody"}],
        },
        "spec": {"image": "trainer:1", "trainer": {"numNodes": 2}, "data": {"numNodes": 2}},
        "status": {"observedGeneration": 1, "state": state, "conditions": conditions, **status},
    }


def attempt(index: int = 0, outcome: str = "Running", **more: Any) -> Object:
    return {"index": index, "outcome": outcome, "rayJobName": f"mnist-ck4to-{index}", **more}


def ray_job(index: int = 0, job_id: str | None = None) -> Object:
    labels = {"trainingrun.dev/run-uid": "uid-of-mnist", "trainingrun.dev/attempt": str(index)}
    metadata = {"name": f"mnist-ck4to-{index}", "namespace": "training", "uid": f"job-{index}", "labels": labels}
    return {"metadata": metadata, "status": {"jobId": job_id} if job_id else {}}


def pod(group: str, suffix: str = "x7k2p", index: int = 0) -> Object:
    container: Object = {"name": "ray-head" if group == "head" else "ray-worker"}
    if group == "head":
        reference = {"name": f"token-of-{index}", "key": "auth_token"}
        container["env"] = [{"name": "RAY_AUTH_TOKEN", "valueFrom": {"secretKeyRef": reference}}]
    labels = {
        "trainingrun.dev/run-uid": "uid-of-mnist",
        "trainingrun.dev/attempt": str(index),
        "trainingrun.dev/group": group,
    }
    name = f"mnist-ck4to-{index}-{group}-{suffix}"
    return {
        "metadata": {"name": name, "namespace": "training", "uid": f"uid-of-{name}", "labels": labels},
        "spec": {"containers": [container]},
    }


def token_secret(index: int = 0) -> Object:
    data = {"auth_token": base64.b64encode(TOKEN.encode()).decode()}
    return {"metadata": {"name": f"token-of-{index}", "namespace": "training", "uid": "s"}, "data": data}
