"""What a test does with the runs of one namespace: apply them, and wait for what their status says.

Texts and times of the status are the business of other tests; here it is awaited as a user awaits it.
"""

from __future__ import annotations

from typing import Any

from raw_client import Object, RawClient
from ray_dashboard import Job, RayDashboard
from run_documents import document

from trainingrun.naming import ray_job_name

NODES = {"limits": {"cpu": "1", "memory": "2Gi"}}


class TrainingRuns:
    """The runs of a namespace."""

    def __init__(self, admin: RawClient, dashboard: RayDashboard, namespace: str):
        self.admin = admin
        self.namespace = namespace
        self.dashboard = dashboard

    def apply(self, name: str, **spec: Any) -> Object:
        """Apply a small run, with these fields of its spec changed. Returns it as it was stored."""
        small: Object = {"trainer": {"resourcesPerNode": NODES}, "data": {"resourcesPerNode": NODES}, **spec}
        return self.admin.apply("trainingruns", document(name, **small), self.namespace)

    def get(self, name: str) -> Object:
        return self.admin.get("trainingruns", name, self.namespace)

    def status(self, name: str) -> Object:
        status: Object = self.get(name).get("status", {})
        return status

    def attempts(self, name: str) -> list[Object]:
        found: list[Object] = self.status(name).get("attempts", [])
        return found

    def condition(self, name: str, kind: str) -> Object:
        """The condition of this type; empty before the run was first seen."""
        conditions = {entry["type"]: entry for entry in self.status(name).get("conditions", ())}
        return conditions.get(kind, {})

    def until(self, name: str, kind: str, status: str = "True", reason: str = "", seconds: float = 120) -> Object:
        """Wait until a condition has this status, and this reason if one is given."""

        def holds() -> Object | None:
            found = self.condition(name, kind)
            is_so = found.get("status") == status and reason in ("", found["reason"])
            return found if is_so else None

        try:
            found: Object = self.admin.until(holds, f"{kind}={status} {reason} of {name}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; its status is {self.status(name)}") from None
        return found

    def ray_job(self, name: str, attempt: int = 0) -> str:
        """The name that the RayJob of an attempt has."""
        return ray_job_name(name, self.get(name)["metadata"]["uid"], attempt)

    def job(self, name: str, attempt: int = 0, seconds: float = 120) -> Job:
        """Wait for the Ray job that KubeRay submits for an attempt."""
        prefix = f"{self.ray_job(name, attempt)}-"

        def submitted() -> list[Job]:
            return [job for job in self.dashboard.jobs_in(self.namespace) if job.id.startswith(prefix)]

        jobs: list[Job] = self.admin.until(submitted, f"a Ray job {prefix}", seconds)
        return jobs[-1]

    def until_nothing_is_left(self, seconds: float = 120) -> None:
        """Wait until no RayJob, RayCluster or pod exists."""
        for plural in ("rayjobs", "rayclusters", "pods"):
            self.until_gone(plural, seconds)

    def until_gone(self, plural: str, seconds: float = 120) -> None:
        self.admin.until(lambda: not self.admin.list(plural, self.namespace), f"all {plural} gone", seconds)
