"""The Ray cluster of a run: its groups of pods, their sizes, and what Ray is told about each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainingrun.contract.labels import RAY_DATA_KEY, RAY_DATA_VALUE, RAY_GROUP_KEY, RAY_TRAINER_VALUE
from trainingrun.render.pods import (
    CommonParts,
    PodTemplate,
    RenderedAttempt,
    common_parts,
    data_pod,
    head_pod,
    trainer_pod,
)
from trainingrun.spec.groups import Data, Trainer


@dataclass(frozen=True)
class HeadGroup:
    """The coordinating pod. Without CPUs and GPUs, Ray places no task on it but the driver."""

    pod: PodTemplate
    num_cpus: str = "0"
    num_gpus: str = "0"


@dataclass(frozen=True)
class WorkerGroup:
    """Pods that are alike. Numbers are text, as every parameter of `ray start` is to KubeRay.

    `num_gpus` is always said: KubeRay does not know every name of a GPU, and Ray would count those that a pod without
    a GPU in its limits happens to see.
    """

    name: str
    replicas: int
    max_replicas: int
    num_cpus: str
    num_gpus: str
    ray_labels: dict[str, str]
    pod: PodTemplate


@dataclass(frozen=True)
class Cluster:
    """The whole. `is_elastic`: an autoscaler changes the size of the data group, and of no other."""

    run: CommonParts
    is_elastic: bool
    head: HeadGroup
    worker_groups: tuple[WorkerGroup, ...]


def cluster_of(attempt: RenderedAttempt) -> Cluster:
    """The cluster that the attempt runs on."""
    data, trainer = attempt.run.spec.data, attempt.run.spec.trainer
    most = max(data.num_nodes, data.max_nodes or 0)
    is_elastic = most > data.num_nodes
    return Cluster(
        run=common_parts(attempt),
        is_elastic=is_elastic,
        head=HeadGroup(head_pod(attempt, has_autoscaler=is_elastic)),
        worker_groups=(
            WorkerGroup(
                name=RAY_DATA_VALUE,
                replicas=data.num_nodes,
                max_replicas=most,
                num_cpus=str(_data_cpus(data)),
                num_gpus=str(data.resources_per_node.gpus),
                ray_labels={RAY_DATA_KEY: RAY_DATA_VALUE},
                pod=data_pod(attempt, _data_cpus(data)),
            ),
            WorkerGroup(
                name=RAY_TRAINER_VALUE,
                replicas=trainer.num_nodes,
                max_replicas=trainer.num_nodes,
                num_cpus=str(_trainer_cpus(trainer)),
                num_gpus=str(trainer.resources_per_node.gpus),
                ray_labels={RAY_GROUP_KEY: RAY_TRAINER_VALUE},
                pod=trainer_pod(attempt),
            ),
        ),
    )


def _data_cpus(data: Data) -> int:
    """As many tasks at once as there are whole cores, lest they take turns; one on less than a core."""
    return max(1, math.floor(data.resources_per_node.limits["cpu"].value))


def _trainer_cpus(trainer: Trainer) -> int:
    """Whole cores that hold what the pod's training processes ask for.

    Each asks for its share of the limit: whole cores, or a fraction where there is less than one for each. Then
    all ask for the limit together, which only the next whole number holds.
    """
    cores = trainer.resources_per_node.limits["cpu"].value
    return max(1, math.floor(cores) if cores >= trainer.processes_per_node else math.ceil(cores))
