"""A small model of the API server, with the objects of one run in it and everything that they ever were.

It knows nothing of the operator's code but the projections that a cache keeps. It records what really happened to
each attempt, so that the operator's account can be held against it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from trainingrun.contract.labels import QUEUE_KEY
from trainingrun.naming import ray_job_name
from trainingrun.observed import Pod, RayCluster, RayJob, RunObject
from trainingrun.spec import Run, parse

START = datetime(2026, 9, 1, 10, tzinfo=UTC)
UID = "6b0f-run"
_ENDED = ("Complete", "Failed", "ValidationFailed")


@dataclass(frozen=True)
class Snapshot:
    """What a cache that has seen everything would hold at one moment."""

    time: datetime
    run: RunObject
    jobs: tuple[RayJob, ...]
    clusters: tuple[RayCluster, ...]
    pods: tuple[Pod, ...]


@dataclass
class Truth:
    """What really happened to the RayJobs of one attempt."""

    succeeded: bool = False
    causes: set[str] = field(default_factory=set)
    head_losses: int = 0
    preemptions: int = 0


def parsed(queue: str | None, spec: Mapping[str, Any]) -> dict[bool, Run]:
    """The run's two specs, by `suspend`."""
    fields = {
        "image": "trainer:1",
        "recipe": {"dataset": {"train": {"format": "Parquet", "path": "/data"}}},
        "storage": {"uri": "s3://bucket/runs"},
        **spec,
    }
    metadata = {"name": "mnist", "uid": UID, "labels": {QUEUE_KEY: queue} if queue else {}}
    document = {"apiVersion": "trainingrun.dev/v1beta1", "kind": "TrainingRun", "metadata": metadata}
    return {suspend: parse({**document, "spec": {**fields, "suspend": suspend}}) for suspend in (False, True)}


class World:
    """The cluster. Every change appends a snapshot to `history`, which caches read as late as they like."""

    def __init__(self, queue: str | None = None, suspend: bool = False, **spec: Any):
        self.specs = parsed(queue, spec)
        self.queue = queue
        self.time = START
        self.jobs: dict[str, RayJob] = {}
        self.clusters: dict[str, RayCluster] = {}
        self.pods: dict[str, Pod] = {}
        self.truth: dict[int, Truth] = {}
        self.created: list[int] = []
        self.refusal: tuple[str, str] | None = None
        self.numbers = itertools.count(1)
        self.run = RunObject(
            namespace="team",
            name="mnist",
            uid=UID,
            generation=1,
            resource_version="1",
            created=self.time,
            deleting=False,
            labels={QUEUE_KEY: queue} if queue else {},
            run=self.specs[suspend],
            spec=self.specs[suspend].spec,
            problems=(),
            status={},
        )
        self.history: list[Snapshot] = []
        self.changed()

    # The API server

    def changed(self) -> None:
        """Note a change, for caches to see."""
        self.history.append(
            Snapshot(
                self.time,
                self.run,
                tuple(self.jobs.values()),
                tuple(self.clusters.values()),
                tuple(self.pods.values()),
            )
        )

    def write_status(self, status: Mapping[str, Any], resource_version: str | None) -> bool:
        """Replace the run's status; False when somebody else has written since `resource_version`."""
        if resource_version is not None and resource_version != self.run.resource_version:
            return False
        self.update_run(status=dict(status))
        return True

    def update_run(self, **fields: Any) -> None:
        """Change the run, which gets a new version."""
        self.run = replace(self.run, resource_version=str(next(self.numbers) + 1), **fields)
        self.changed()

    def set_suspend(self, suspend: bool) -> None:
        """A person suspends or resumes the run."""
        run = self.specs[suspend]
        self.update_run(run=run, spec=run.spec, generation=self.run.generation + 1)

    @property
    def is_to_rest(self) -> bool:
        """Whether the run is to be suspended."""
        return self.run.run is self.specs[True]

    def delete(self, kind: str, name: str, uid: str) -> None:
        """Delete an object if it is the one that is meant."""
        objects: Any = {"RayJob": self.jobs, "RayCluster": self.clusters}[kind]
        if name in objects and objects[name].uid == uid and not objects[name].deleting:
            objects[name] = replace(objects[name], deleting=True)
            self.changed()

    def create_ray_job(self, attempt: int, owner_uid: str | None = UID) -> str:
        """POST a RayJob; `Created`, `AlreadyExists` or `Refused`."""
        name = ray_job_name(self.run.name, self.run.uid, attempt)
        if name in self.jobs:
            return "AlreadyExists"
        if self.refusal is not None and owner_uid == UID:
            return "Refused"
        self.jobs[name] = RayJob(
            namespace="team",
            name=name,
            uid=self.uid("job"),
            owner_uid=owner_uid,
            attempt=attempt,
            created=self.time,
            deleting=False,
            suspended=self.queue is not None,
            job_status="",
            deployment_status="",
            reason="",
            message="",
            exit_code=None,
            ray_cluster_name="",
            dashboard_url="",
            started=None,
            ended=None,
        )
        if owner_uid == UID:
            self.truth.setdefault(attempt, Truth())
            self.created.append(attempt)
        self.changed()
        return "Created"

    def existing_attempts(self) -> set[int]:
        """The attempts of which anything exists, even if it is on its way out."""
        ours = [job for job in self.jobs.values() if job.owner_uid == UID]
        return {thing.attempt for thing in (*ours, *self.clusters.values(), *self.pods.values())}

    def live_job(self) -> RayJob | None:
        """The RayJob of ours that nobody has told to go."""
        return next((job for job in self.jobs.values() if job.owner_uid == UID and not job.deleting), None)

    def running_job(self) -> RayJob | None:
        """The RayJob of ours whose program runs."""
        job = self.live_job()
        return job if job is not None and job.deployment_status == "Running" and not job.suspended else None

    def unfinished_job(self) -> RayJob | None:
        """The live RayJob, if KubeRay still works on it."""
        job = self.live_job()
        return job if job is not None and job.deployment_status not in _ENDED else None

    def pass_time(self, seconds: float) -> None:
        """Time goes by."""
        self.time += timedelta(seconds=seconds)

    def deadlines_may_pass(self) -> None:
        """Note that so much time goes by that any attempt may be over by its deadline."""
        for truth in self.truth.values():
            truth.causes.add("DeadlineExceeded")

    def change(self, thing: RayJob | RayCluster | Pod, **fields: Any) -> None:
        """Change an object's fields, if it still exists."""
        kinds: dict[type, dict[str, Any]] = {RayJob: self.jobs, RayCluster: self.clusters, Pod: self.pods}
        objects = kinds[type(thing)]
        if thing.name in objects:
            objects[thing.name] = replace(objects[thing.name], **fields)
            self.changed()

    def remove(self, objects: Any, key: str) -> None:
        """Let an object be gone."""
        objects.pop(key, None)
        self.changed()

    def uid(self, kind: str) -> str:
        """A uid that nothing else has."""
        return f"{kind}-{next(self.numbers)}"
