"""What decisions need to know about each object, and nothing else: a projection is what the cache keeps of a body.

No decision is made here. Times are aware and in UTC. Two projections that are equal mean that nothing that
matters has changed, which is how the engine tells a change from noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trainingrun.errors import Problem
from trainingrun.spec import Run
from trainingrun.spec.run import RunSpec


@dataclass(frozen=True, slots=True)
class RunObject:
    """A TrainingRun of the API server. `run` is None when its spec is invalid, for the reasons in `problems`.

    `spec` is what can be read of the spec then: enough to manage what exists, and not to create anything. It is None,
    too, of one that needs a runtime of which its status has no snapshot yet; `awaiting` is its document then.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    created: datetime
    deleting: bool
    labels: Mapping[str, str]
    run: Run | None
    spec: RunSpec
    problems: tuple[Problem, ...]
    status: Mapping[str, Any]
    awaiting: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RuntimeObject:
    """A TrainingRuntime or, without a namespace, a ClusterTrainingRuntime. With `problems`, no run can use it."""

    kind: str
    namespace: str
    name: str
    uid: str
    generation: int
    template: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class RayJob:
    """The RayJob of one attempt. `attempt` is its label's number; `owner_uid` its controller's uid, if it has one.

    `message` holds the driver's last message, cut to a readable length; `exit_code` what Ray reports of the driver.
    """

    namespace: str
    name: str
    uid: str
    owner_uid: str | None
    attempt: int
    created: datetime
    deleting: bool
    suspended: bool
    job_status: str
    deployment_status: str
    reason: str
    message: str
    exit_code: int | None
    ray_cluster_name: str
    dashboard_url: str
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class RayCluster:
    """The RayCluster that KubeRay made of an attempt's RayJob, whose uid is `owner_uid`.

    `head_waiting` and `replica_failure` are (reason, message) of its conditions HeadPodReady (when not true) and
    ReplicaFailure (when true): the words of a quota or an admission that refused pods.
    """

    namespace: str
    name: str
    uid: str
    run_uid: str
    attempt: int
    deleting: bool
    state: str
    desired_workers: int
    ready_workers: int
    head_waiting: tuple[str, str] | None
    replica_failure: tuple[str, str] | None
    owner_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Termination:
    """How and when a container ended, as reported by the kubelet."""

    container: str
    exit_code: int
    reason: str
    message: str
    finished: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container cannot start, as reported by the kubelet."""

    container: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that is labelled as one of an attempt. `group` is head, data or trainer.

    `cluster_uid` and `cluster_name` are of the RayCluster that controls it, empty if none does. `waiting` are the
    containers that cannot start, `unschedulable` the scheduler's words, `disrupted` the words of the condition
    DisruptionTarget, `terminations` the ends of containers seen so far. Of Ray's own container are `restarts`, how
    often the kubelet has started it again in this pod, and `ray_ready`; `lost_helper` is the end of a container beside
    it that nobody starts again. `due` is when a pod that is being deleted was to be gone. `authority` are the
    certificates by which it accepts the progress endpoint's, if it was given any.
    """

    namespace: str
    name: str
    uid: str
    run_uid: str
    attempt: int
    group: str
    node: str
    phase: str
    ready: bool
    deleting: bool
    created: datetime
    cluster_uid: str = ""
    cluster_name: str = ""
    waiting: tuple[Waiting, ...] = ()
    unschedulable: str | None = None
    disrupted: str | None = None
    status_reason: str = ""
    status_message: str = ""
    terminations: tuple[Termination, ...] = ()
    restarts: int = 0
    ray_ready: bool = False
    lost_helper: Termination | None = None
    due: datetime | None = None
    authority: str = ""

    @property
    def is_working(self) -> bool:
        """Whether Ray is ready in it, whatever has become of the containers beside it."""
        return self.ready or self.ray_ready


def belongs_to(child: RayJob | RayCluster | Pod, namespace: str, run_uid: str) -> bool:
    """Whether an object is of this run: by its namespace too, since uids and labels can be copied elsewhere."""
    owner = child.owner_uid if isinstance(child, RayJob) else child.run_uid
    return (child.namespace, owner) == (namespace, run_uid)


@dataclass(frozen=True, slots=True)
class Sharer:
    """A run whose storage has the same folder as another's.

    `is_chosen`: this operator has decided to begin it, which its status may not say yet. `is_leaving`: some of its pods
    are on their way out, and may still write.
    """

    run: RunObject
    is_chosen: bool = False
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class QueueAnswer:
    """Why the queue holds this RayJob back, in its own words if it has any, and when it was asked.

    `is_unknown`: the queue knows nothing of the RayJob.
    """

    ray_job_uid: str
    message: str | None
    asked: datetime
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything of one run that exists in the cluster, as far as has been seen.

    `refusal` is (reason, message) of the API server's refusal of what was last sent for this run, if it did.
    `reports_since` is since when reports of training could arrive without a gap; None when nobody takes any.
    `others_heard` is when another run that is training last reported; None when no other that reports is.
    `sharers` are all other runs with the same folder in storage; `is_chosen` is as in Sharer.
    `queue` is what the queue last answered when it was asked; None when it never was.
    `initial` is the run that this one is to start from, if it names one that exists.
    `runtime` is the runtime that the run awaits, if that exists.
    """

    ray_jobs: tuple[RayJob, ...] = ()
    ray_clusters: tuple[RayCluster, ...] = ()
    pods: tuple[Pod, ...] = ()
    refusal: tuple[str, str] | None = None
    reports_since: datetime | None = None
    others_heard: datetime | None = None
    sharers: tuple[Sharer, ...] = ()
    is_chosen: bool = False
    queue: QueueAnswer | None = None
    initial: RunObject | None = None
    runtime: RuntimeObject | None = None
