"""What has been seen in the cluster: small immutable projections of objects, and how they are read from JSON."""

from trainingrun.observed.objects import (
    Observed,
    Pod,
    QueueAnswer,
    RayCluster,
    RayJob,
    RunObject,
    RuntimeObject,
    Sharer,
    Termination,
    Waiting,
    belongs_to,
)
from trainingrun.observed.reading import pod_of, queue_message_of, ray_cluster_of, ray_job_of
from trainingrun.observed.runs import problems_with, run_object_of, runtime_of

__all__ = [
    "Observed",
    "Pod",
    "QueueAnswer",
    "RayCluster",
    "RayJob",
    "RunObject",
    "RuntimeObject",
    "Sharer",
    "Termination",
    "Waiting",
    "belongs_to",
    "pod_of",
    "problems_with",
    "queue_message_of",
    "ray_cluster_of",
    "ray_job_of",
    "run_object_of",
    "runtime_of",
]
