"""A run as one operator sees it, look after look: what the API server sends goes through the cache into decisions."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from trainingrun.engine.cache import Cache
from trainingrun.lifecycle import decide
from trainingrun.naming import ray_job_name

Body = dict[str, Any]
START = datetime(2026, 9, 1, 12, tzinfo=UTC)
NAMESPACE, UID = "training", "5f4c1f0a"
ENDED = {"jobStatus": "FAILED", "jobDeploymentStatus": "Failed", "reason": "AppFailed"}
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "preempted"}


def stamp(time: datetime) -> str:
    """A time as the API server writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class Story:
    """One attempt that trains, with a head, a data and a trainer pod, until a test says what happens."""

    def __init__(self, *, phase: str = "Running", **spec: Any):
        self.now = START
        self.cache = Cache()
        self._versions = itertools.count(10)
        recipe = {"dataset": {"train": {"format": "Parquet", "path": "/data"}}}
        fields = {"image": "trainer:1", "recipe": recipe, "storage": {"uri": "s3://acme/runs"}, **spec}
        self._run = self._body(
            "TrainingRun", "mnist", UID, {"spec": {name: value for name, value in fields.items() if value is not None}}
        )
        self.put("TrainingRun", self._run)
        self.look()
        name = ray_job_name("mnist", UID, 0)
        began = {"rayClusterName": f"{name}-abcde", "startTime": stamp(START)}
        running = {"jobStatus": "RUNNING", "jobDeploymentStatus": phase} if phase == "Running" else {}
        status = {"jobDeploymentStatus": phase, **began, **running}
        self.job = self._body("RayJob", name, "job", {"status": status}, (UID, "TrainingRun"))
        self.cluster = self._body("RayCluster", f"{name}-abcde", "cluster", {"status": {}}, ("job", "RayJob"))
        self.put("RayJob", self.job)
        self.put("RayCluster", self.cluster)
        self.pods = {group: self.pod(group) for group in ("head", "data", "trainer")}
        for pod in self.pods.values():
            self.put("Pod", pod)
        self.look(5)

    def pod(self, group: str, name: str = "", owner: str | None = "cluster", **status: Any) -> Body:
        """A pod of the attempt's RayCluster, or of another owner."""
        name = name or f"{self.cluster['metadata']['name']}-{group}-11111"
        owners = None if owner is None else (owner, "RayCluster")
        return self._body("Pod", name, f"uid-{name}", {"status": {**READY, **status}}, owners, group)

    def put(self, kind: str, body: Body, **status: Any) -> None:
        """The API server tells of an object, with these changes of its status."""
        body.setdefault("status", {}).update(status)
        body["metadata"]["resourceVersion"] = str(next(self._versions))
        self.cache.put(kind, body)

    def end(self, exit_code: int | None, log: str = "", **fields: Any) -> None:
        """The RayJob is seen to have ended now."""
        lead = f"Job entrypoint command failed with exit code {exit_code}, last available logs:\n" if exit_code else ""
        self.put("RayJob", self.job, **{**ENDED, "message": lead + log, "endTime": stamp(self.now), **fields})

    def look(self, seconds: float = 0) -> Body:
        """The status after a look so many seconds later."""
        self.now += timedelta(seconds=seconds)
        run = self.cache.run_by_uid(UID)
        assert run is not None
        decision = decide(run, self.cache.observed(UID), self.now)
        if decision.status is not None:
            self._run["status"] = decision.status
            self.put("TrainingRun", self._run)
        status: Body = self._run.get("status", {})
        return status

    def wait(self, seconds: float) -> Body:
        """The status so many seconds later, after as many looks as the decisions ask for."""
        until = self.now + timedelta(seconds=seconds)
        for _ in range(100):
            self.look()
            run = self.cache.run_by_uid(UID)
            assert run is not None
            due = decide(run, self.cache.observed(UID), self.now).look_again
            if due is None or due > until:
                break
            self.now = due
        self.now = until
        return self.look()

    def verdict(self) -> str | None:
        """The class that the run has failed by for good, if it has."""
        conditions = self._run["status"]["conditions"]
        failed = next(held for held in conditions if held["type"] == "Failed")
        return failed["reason"] if failed["status"] == "True" else None

    def attempt(self) -> Body:
        """The first attempt, as status has it."""
        attempt: Body = self._run["status"]["attempts"][0]
        return attempt

    def _body(
        self,
        kind: str,
        name: str,
        uid: str,
        more: Body,
        owner: tuple[str, str] | None = None,
        group: str = "",
    ) -> Body:
        labels = {"trainingrun.dev/run-uid": UID, "trainingrun.dev/attempt": "0", "trainingrun.dev/group": group}
        metadata: Body = {"namespace": NAMESPACE, "name": name, "uid": uid, "generation": 1, "labels": labels}
        metadata["creationTimestamp"] = stamp(self.now)
        if kind == "TrainingRun":
            metadata["labels"] = {}
        if owner is not None:
            metadata["ownerReferences"] = [{"uid": owner[0], "kind": owner[1], "controller": True}]
        return {"apiVersion": "trainingrun.dev/v1beta1", "kind": kind, "metadata": metadata, **more}


def container(name: str, *, last: Body | None = None, waiting: Body | None = None) -> Body:
    """The status of a container, which ended before as `last` says, and now waits as `waiting` says."""
    state = {"waiting": waiting} if waiting else {"running": {}}
    return {"name": name, "state": state, "lastState": {"terminated": last} if last else {}}


def killed(time: datetime) -> Body:
    """The end of a container that needed more memory than its limit."""
    return {"exitCode": 137, "reason": "OOMKilled", "finishedAt": stamp(time)}
