"""From the apply to the first optimizer step on a real cluster: our run, and the same training as a RayJob by hand.

In turns, each in a namespace of its own and on a machine that does nothing else. Begin and the RayJob's creation are
the API server's own times; the step is that of the training's first record of progress, which both write alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.cluster import by_hand
from bench.cluster.cluster import KindCluster, Namespace, open_cluster
from bench.cluster.records import ready_and_submitted, wait_for_first_step
from bench.control_plane.audit import AuditLog
from bench.result import Measure, Result
from bench.workspace import Workspace
from trainingrun.contract.records import AttemptStarted, Progress
from trainingrun.kube.resources import RAY_JOBS, TRAINING_RUNS

_LONGEST_SECONDS = 600.0
_CREATED = 201
# Enough to train while the first step is waited for; nobody waits for the end.
_EPOCHS = 50


@dataclass(frozen=True)
class _Start:
    """Seconds from the apply until the RayJob was there, until all pods of Ray were ready (in whole seconds), until
    KubeRay or its Job had submitted the program, until the workers' loop began, and until its first step.
    """

    job: float
    ready: float
    submitted: float
    loop: float
    step: float


def measure(rounds: int, workspace: Workspace) -> Result:
    """Rounds of both."""
    kind = open_cluster(workspace)
    starts: dict[str, list[_Start]] = {"ours": [], "byHand": []}
    sides: list[tuple[str, Callable[[KindCluster, int], _Start]]] = [("ours", _ours), ("byHand", _by_hand)]
    for number in range(rounds):
        # Whoever is second may find more of its files in memory: not always the same one.
        for name, start in sides if number % 2 == 0 else reversed(sides):
            starts[name].append(start(kind, number))
    ours, theirs = starts["ours"], starts["byHand"]
    shares = [mine.step / other.step for mine, other in zip(ours, theirs, strict=True)]
    title = "apply until the first optimizer step"
    created = "apply until the operator has created the RayJob"
    measures = [
        Measure("cluster_first_step", title, "s", [start.step for start in ours]),
        Measure("cluster_first_step_share", f"{title}, against a RayJob by hand", "x by hand", shares),
        Measure("cluster_first_step_by_hand", f"{title}, RayJob by hand", "s", [start.step for start in theirs]),
        Measure("cluster_operator_share", created, "s", [start.job for start in ours]),
    ]
    raw: dict[str, Any] = {name: [dataclasses.asdict(start) for start in found] for name, found in starts.items()}
    return Result("cluster_first_step", measures, {**raw, "versions": kind.versions()})


def _ours(kind: KindCluster, number: int) -> _Start:
    with kind.namespace(f"first-step-ours-{number}") as namespace:
        log = AuditLog(kind)
        run = namespace.apply(namespace.document(recipe={"epochs": _EPOCHS}))
        return _judge(kind, log, namespace, TRAINING_RUNS.plural, run.read()["metadata"]["uid"])


def _by_hand(kind: KindCluster, number: int) -> _Start:
    # Nobody writes by hand what a namespace for restricted pods asks for.
    with kind.namespace(f"first-step-by-hand-{number}", is_restricted=False) as namespace:
        document = namespace.document(recipe={"epochs": _EPOCHS})
        training: Path = namespace.volume / by_hand.CONFIGURATION
        training.write_text(yaml.safe_dump(document))
        job = by_hand.ray_job_by_hand(document)
        log = AuditLog(kind)
        kind.client.apply(job)
        # A run that Kubernetes gave no identity keeps its records under its name.
        return _judge(kind, log, namespace, RAY_JOBS.plural, document["metadata"]["name"])


def _judge(kind: KindCluster, log: AuditLog, namespace: Namespace, applied: str, folder: str) -> _Start:
    """Wait for the first step of what was applied, whose records are in this folder of the volume."""
    records = wait_for_first_step(kind.client, namespace.name, namespace.volume / folder, _LONGEST_SECONDS)
    made = [write for write in log.writes() if write.namespace == namespace.name and write.code == _CREATED]
    began = next(write.received for write in made if write.resource == applied)
    job = next(write.answered for write in made if write.resource == RAY_JOBS.plural)
    loop = next(record.time for record in records if isinstance(record, AttemptStarted))
    step = next(record.time for record in records if isinstance(record, Progress) and record.step >= 1)
    ready, submitted = ready_and_submitted(kind.client, namespace.name)
    return _Start(job - began, ready - began, submitted - began, loop - began, step - began)
