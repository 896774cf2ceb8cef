"""KubeRay and the kubelets in a few lines: RayJobs get clusters and pods, run, and end as a test has scripted it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from server import Server
from virtual_time import stamp

Body = dict[str, Any]
FINALIZER = "ray.io/rayjob-finalizer"
START_SECONDS = 5.0
STOP_SECONDS = 2.0
TERMINATION_SECONDS = 3.0
PLURALS = {"RayJob": "rayjobs", "RayCluster": "rayclusters", "Pod": "pods"}


@dataclass(frozen=True)
class Ending:
    """How the driver of an attempt ends: after so many seconds, with this exit code. None: it runs for ever."""

    after: float | None = 30.0
    exit_code: int = 0


# Name of the run, number of the attempt.
Script = Callable[[str, int], Ending]


class KubeRay:
    """Works on every RayJob from when it is created until it is gone."""

    def __init__(self, server: Server, script: Script):
        self._server = server
        self._script = script
        self._jobs: dict[str, asyncio.Task[None]] = {}
        server.listeners.append(self._hear)

    def _hear(self, change: str, plural: str, body: Body) -> None:
        metadata = body["metadata"]
        loop = asyncio.get_running_loop()
        if plural == "rayjobs" and change == "ADDED":
            self._jobs[metadata["uid"]] = loop.create_task(self._work(body))
        elif plural == "rayjobs" and (change == "DELETED" or "deletionTimestamp" in metadata):
            job = self._jobs.pop(metadata["uid"], None)
            if job is not None:
                job.cancel()
            if job is not None and change != "DELETED":
                loop.call_later(STOP_SECONDS, self._server.finish, plural, body)
        elif plural == "pods" and change == "MODIFIED" and "deletionTimestamp" in metadata and metadata["finalizers"]:
            loop.call_later(TERMINATION_SECONDS, self._end_pod, body)

    def _end_pod(self, pod: Body) -> None:
        if self._server.find("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]) is not None:
            self._server.finish("pods", pod)

    async def _work(self, job: Body) -> None:
        await asyncio.sleep(0.2)
        server, name = self._server, job["metadata"]["name"]
        # As KubeRay's, it is never the same twice.
        cluster_name = f"{name}-{job['metadata']['uid'].removeprefix('rayjobs-')}"
        metadata = {**job["metadata"], "finalizers": [FINALIZER]}
        status = {"jobDeploymentStatus": "Initializing", "jobStatus": "", "rayClusterName": cluster_name}
        job = server.update("rayjobs", job, metadata=metadata, status={**status, "startTime": stamp()})
        cluster = self._create("RayCluster", cluster_name, job["metadata"]["labels"], job)
        pods = self._create_pods(cluster, job["spec"]["rayClusterSpec"])
        await asyncio.sleep(START_SECONDS)
        for pod in pods:
            server.update("pods", pod, status={"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
        server.update("rayclusters", cluster, status={"state": "ready", "readyWorkerReplicas": len(pods) - 1})
        job = self._set(job, jobDeploymentStatus="Running", jobStatus="RUNNING")
        labels = job["metadata"]["labels"]
        ending = self._script(labels["trainingrun.dev/run-name"], int(labels["trainingrun.dev/attempt"]))
        if ending.after is None:
            return
        await asyncio.sleep(ending.after)
        self._end(job, ending)
        await asyncio.sleep(job["spec"]["ttlSecondsAfterFinished"])
        if server.find("rayclusters", cluster["metadata"]["namespace"], cluster_name) is not None:
            server.delete("rayclusters", cluster)

    async def lose_head(self, run: str) -> None:
        """A run's head goes, and is replaced without a word."""
        server = self._server
        head = next(pod for pod in server.of("pods") if _is_head_of(pod, run))
        metadata = head["metadata"]
        server.delete("pods", head)
        await asyncio.sleep(1.0)
        cluster = next(server.of("rayclusters"))
        again = self._create("Pod", f"{metadata['name']}-again", metadata["labels"], cluster, finalizers=["kubelet"])
        await asyncio.sleep(START_SECONDS)
        server.update("pods", again, status={"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})

    def _end(self, job: Body, ending: Ending) -> None:
        if ending.exit_code == 0:
            self._set(job, jobDeploymentStatus="Complete", jobStatus="SUCCEEDED", endTime=stamp())
            return
        words = f"Job entrypoint command failed with exit code {ending.exit_code}, last available logs:\n"
        end = {"reason": "AppFailed", "message": words, "endTime": stamp()}
        self._set(job, jobDeploymentStatus="Failed", jobStatus="FAILED", **end)

    def _set(self, job: Body, **fields: Any) -> Body:
        metadata = job["metadata"]
        current = self._server.objects["rayjobs", metadata["namespace"], metadata["name"]]
        return self._server.update("rayjobs", job, status={**current["status"], **fields})

    def _create_pods(self, cluster: Body, spec: Body) -> list[Body]:
        groups = [("head", spec["headGroupSpec"], 1)]
        groups += [(group["groupName"], group, group["replicas"]) for group in spec["workerGroupSpecs"]]
        return [
            self._create(
                "Pod",
                f"{cluster['metadata']['name']}-{name}-{number}",
                group["template"]["metadata"]["labels"],
                cluster,
                finalizers=["kubelet"],
            )
            for name, group, count in groups
            for number in range(count)
        ]

    def _create(self, kind: str, name: str, labels: Body, owner: Body, **metadata: Any) -> Body:
        reference = {"kind": owner["kind"], "uid": owner["metadata"]["uid"], "controller": True}
        metadata |= {"name": name, "labels": labels, "ownerReferences": [reference]}
        body = {"kind": kind, "metadata": metadata, "spec": {}, "status": {"phase": "Pending"}}
        return self._server.create(PLURALS[kind], owner["metadata"]["namespace"], body)


def _is_head_of(pod: Body, run: str) -> bool:
    labels = pod["metadata"]["labels"]
    return labels["trainingrun.dev/run-name"] == run and "-head-" in pod["metadata"]["name"]
