"""What KubeRay, the garbage collector and the kubelets may do next to the objects of the model, in any order."""

from __future__ import annotations

from collections.abc import Callable

from cluster_model import UID, World

from trainingrun.observed import Pod, RayCluster, RayJob

GROUPS = ("head", "data", "trainer")


class Machinery:
    """Everything that moves by itself."""

    def __init__(self, world: World):
        self._world = world

    def events(self) -> dict[str, Callable[[], None]]:
        """What the machinery of the cluster may do next, by name."""
        possible: dict[str, Callable[[], None]] = {}
        for job in self._world.jobs.values():
            if job.owner_uid == UID:
                possible |= self._job_events(job)
        for cluster in self._world.clusters.values():
            possible |= self._cluster_events(cluster)
        for pod in self._world.pods.values():
            if pod.deleting:
                possible[f"pod gone {pod.name}"] = lambda pod=pod: self._world.remove(self._world.pods, pod.name)
            elif not any(cluster.attempt == pod.attempt for cluster in self._world.clusters.values()):
                possible[f"pod collected {pod.name}"] = lambda pod=pod: self._world.change(pod, deleting=True)
            elif not pod.ready and pod.phase != "Failed":
                possible[f"pod ready {pod.name}"] = lambda pod=pod: self._world.change(pod, ready=True, phase="Running")
        return possible

    def _job_events(self, job: RayJob) -> dict[str, Callable[[], None]]:
        name, cluster = job.name, self._world.clusters.get(job.ray_cluster_name)
        if job.deleting:
            return {f"job gone {name}": lambda: self._world.remove(self._world.jobs, name)}
        if job.deployment_status == "":
            started = {"deployment_status": "Initializing", "ray_cluster_name": f"{name}-{next(self._world.numbers)}"}
            return {f"job begun {name}": lambda: self._world.change(job, started=self._world.time, **started)}
        if job.suspended and job.deployment_status in ("Initializing", "Running"):
            return {f"job suspending {name}": lambda: self._world.change(job, deployment_status="Suspending")}
        if job.deployment_status == "Suspending":
            return self._suspension(job, cluster)
        if job.deployment_status == "Suspended":
            if job.suspended:
                return {}
            return {f"job unsuspended {name}": lambda: self._world.change(job, deployment_status="", job_status="")}
        if job.deployment_status not in ("Initializing", "Running"):
            return {}
        if cluster is None:
            return {f"cluster made {name}": lambda: self._make_cluster(job)}
        ready = {pod.group for pod in self._world.pods.values() if pod.ready and not pod.deleting} >= set(GROUPS)
        if job.deployment_status == "Initializing" and ready:
            running = {"deployment_status": "Running", "job_status": "RUNNING", "dashboard_url": "head:8265"}
            return {f"job running {name}": lambda: self._world.change(job, **running)}
        return {}

    def _suspension(self, job: RayJob, cluster: RayCluster | None) -> dict[str, Callable[[], None]]:
        if cluster is not None and not cluster.deleting:
            return {f"cluster taken {job.name}": lambda: self._world.change(cluster, deleting=True)}
        if cluster is not None:
            return {}
        reset = {"deployment_status": "Suspended", "job_status": "", "ray_cluster_name": "", "dashboard_url": ""}
        return {f"job suspended {job.name}": lambda: self._world.change(job, **reset)}

    def _cluster_events(self, cluster: RayCluster) -> dict[str, Callable[[], None]]:
        owner = next((job for job in self._world.jobs.values() if job.ray_cluster_name == cluster.name), None)
        if owner is None or cluster.deleting:
            return {f"cluster gone {cluster.name}": lambda: self._world.remove(self._world.clusters, cluster.name)}
        alive = {pod.group for pod in self._world.pods.values() if not pod.deleting}
        return {
            f"pod made {group} {cluster.name}": lambda group=group: self._make_pod(cluster, group)
            for group in GROUPS
            if group not in alive
        }

    def _make_cluster(self, job: RayJob) -> None:
        self._world.clusters[job.ray_cluster_name] = RayCluster(
            namespace="team",
            name=job.ray_cluster_name,
            uid=self._world.uid("cluster"),
            run_uid=UID,
            attempt=job.attempt,
            deleting=False,
            state="",
            desired_workers=2,
            ready_workers=0,
            head_waiting=None,
            replica_failure=None,
            owner_uid=job.uid,
        )
        self._world.changed()

    def _make_pod(self, cluster: RayCluster, group: str) -> None:
        uid = self._world.uid("pod")
        self._world.pods[uid] = Pod(
            namespace="team",
            name=uid,
            uid=uid,
            run_uid=UID,
            attempt=cluster.attempt,
            group=group,
            node="node-1",
            phase="Pending",
            ready=False,
            deleting=False,
            created=self._world.time,
            cluster_uid=cluster.uid,
            cluster_name=cluster.name,
        )
        self._world.changed()
