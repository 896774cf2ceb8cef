"""What strangers, nodes, queues and training programs do to a run, with a note of what the operator must find out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cluster_model import World

from trainingrun.observed import RayJob, Termination, Waiting

EXIT_CLASSES = {
    1: "UserError",
    10: "UserError",
    11: "Preempted",
    12: "InvalidConfig",
    13: "UserError",
    14: "Infrastructure",
    33: "UserError",
    -9: "Infrastructure",
    -15: "Infrastructure",
}


class Mishaps:
    """Everything that happens to a run from outside. `World.truth` gets the causes that it may be blamed on."""

    def __init__(self, world: World):
        self._world = world

    def succeed(self, job: RayJob) -> None:
        """The program ends with success."""
        self._world.truth[job.attempt].succeeded = True
        self._world.change(job, deployment_status="Complete", job_status="SUCCEEDED", ended=self._world.time)

    def fail(self, job: RayJob, exit_code: int) -> None:
        """The program ends with an exit code."""
        self._world.truth[job.attempt].causes.add(EXIT_CLASSES[exit_code])
        message = f"Job entrypoint command failed with exit code {exit_code}, last available logs:\nValueError: no"
        ended = {
            "deployment_status": "Failed",
            "job_status": "FAILED",
            "reason": "AppFailed",
            "ended": self._world.time,
        }
        self._world.change(job, message=message, exit_code=exit_code, **ended)

    def fail_with_reason(self, job: RayJob, reason: str, failure_class: str) -> None:
        """KubeRay gives the RayJob up."""
        self._world.truth[job.attempt].causes.add(failure_class)
        status = "ValidationFailed" if reason == "ValidationFailed" else "Failed"
        self._world.change(
            job,
            deployment_status=status,
            reason=reason,
            message=f"{reason} words",
            ended=self._world.time,
        )

    def stop(self, job: RayJob) -> None:
        """A stranger stops the Ray job."""
        self._world.truth[job.attempt].causes.add("Infrastructure")
        self._world.change(job, deployment_status="Complete", job_status="STOPPED", ended=self._world.time)

    def delete_by_stranger(self, job: RayJob) -> None:
        """Somebody deletes the RayJob."""
        self._world.truth[job.attempt].causes.add("Infrastructure")
        self._world.delete("RayJob", job.name, job.uid)

    def lose_head(self, how: str) -> None:
        """The head's pod of a live attempt goes: `gone`, `disrupted`, or `oom`; or it stays, and is `restarted`."""
        head = next((pod for pod in self._world.pods.values() if pod.group == "head" and not pod.deleting), None)
        if head is None:
            return
        truth = self._world.truth[head.attempt]
        truth.head_losses += 1
        # Why it goes is told by its pod alone, which may be gone before anyone looks.
        truth.causes.add("HeadLost")
        if how == "restarted":
            self._world.change(head, restarts=head.restarts + 1)
        elif how == "disrupted":
            truth.preemptions += 1
            truth.causes.add("Preempted")
            self._world.change(head, disrupted="EvictionByEvictionAPI: drained", deleting=True, ready=False)
        elif how == "oom":
            truth.causes.add("OutOfMemory")
            end = Termination("ray-head", 137, "OOMKilled", "", self._world.time)
            self._world.change(head, terminations=(end,), phase="Failed", ready=False, deleting=True)
        else:
            self._world.change(head, deleting=True, ready=False)

    def lose_cluster(self) -> None:
        """A stranger deletes the RayCluster of a live attempt, and its head with it."""
        cluster = next((cluster for cluster in self._world.clusters.values() if not cluster.deleting), None)
        if cluster is not None:
            self._world.truth[cluster.attempt].head_losses += 1
            self._world.truth[cluster.attempt].causes.add("HeadLost")
            self._world.delete("RayCluster", cluster.name, cluster.uid)

    def break_image(self) -> None:
        """A pod that is not ready turns out to have an image that does not exist."""
        pod = next((pod for pod in self._world.pods.values() if not pod.ready and not pod.deleting), None)
        if pod is not None:
            self._world.truth[pod.attempt].causes.add("ImagePull")
            self._world.change(pod, waiting=(Waiting("ray-worker", "ErrImagePull", "manifest unknown"),))

    def set_queue(self, job: RayJob, suspended: bool) -> None:
        """The queue admits the RayJob or takes its machines away."""
        # Whether KubeRay has noticed the admission makes no difference to who saw it given and taken.
        if suspended:
            self._world.truth[job.attempt].preemptions += 1
            self._world.truth[job.attempt].causes.add("Preempted")
        self._world.change(job, suspended=suspended)

    def report(self, clock: datetime) -> None:
        """The program reports progress through the progress endpoint."""
        trainer = {"progressPercentage": 10, "lastUpdatedTime": clock.strftime("%Y-%m-%dT%H:%M:%SZ")}
        self._world.update_run(
            status={**self._world.run.status, "trainerStatus": trainer, "dataStatus": self._measured()}
        )

    def _measured(self) -> dict[str, Any]:
        return {**self._world.run.status.get("dataStatus", {}), "stallPercentage": 30}
