"""What training in the cluster writes into its namespace's volume, which this machine sees as a folder."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from cluster_client import Cluster, wait_until
from run_on_cluster import records_in

from trainingrun.contract.records import Progress, Record


def wait_for_first_step(cluster: Cluster, namespace: str, folder: Path, seconds: float) -> list[Record]:
    """The records in a training's folder, as soon as one of them tells of a step."""

    def found() -> list[Record]:
        records = records_in(folder)
        is_begun = any(isinstance(record, Progress) and record.step >= 1 for record in records)
        return records if is_begun else []

    def shown() -> str:
        jobs = [job.get("status") for job in cluster.list("rayjobs", namespace)]
        pods = [pod["status"] for pod in cluster.list("pods", namespace)]
        return json.dumps({"rayjobs": jobs, "pods": pods}, indent=1)

    return wait_until(found, seconds, f"a first step in {folder}", shown)


def ready_and_submitted(cluster: Cluster, namespace: str) -> tuple[float, float]:
    """When the last pod of a namespace's Ray cluster became ready, and when Ray began with the job there."""
    pods = cluster.list("pods", namespace, "ray.io/node-type")
    conditions = [condition for pod in pods for condition in pod["status"]["conditions"]]
    ready = [condition["lastTransitionTime"] for condition in conditions if condition["type"] == "Ready"]
    (job,) = cluster.list("rayjobs", namespace)
    began = job["status"].get("rayJobInfo", {}).get("startTime") or job["status"]["startTime"]
    return max(map(_seconds, ready)), _seconds(began)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
