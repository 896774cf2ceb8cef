"""Everything that a decision may use, in one value: what the run wants, remembers and has, and the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from trainingrun.contract.labels import RAY_HEAD_VALUE
from trainingrun.lifecycle.adoption import Adoption, adoption_of
from trainingrun.naming import ray_job_name
from trainingrun.observed import Observed, Pod, QueueAnswer, RayCluster, RayJob, RunObject, Sharer, belongs_to
from trainingrun.spec.run import RunSpec
from trainingrun.status.fields import MAX_INDEX
from trainingrun.status.recorded import Recorded, recorded_of
from trainingrun.status.trainer_report import Report, report_of


@dataclass(frozen=True)
class View:
    """A run as it is seen at `now`, a whole second. Of an invalid spec, `spec` is what can be read."""

    run: RunObject
    spec: RunSpec
    recorded: Recorded
    children: Children
    report: Report
    refusal: tuple[str, str] | None
    reports_since: datetime | None
    others_heard: datetime | None
    sharers: tuple[Sharer, ...]
    is_chosen: bool
    queue: QueueAnswer | None
    initial: RunObject | None
    adoption: Adoption
    now: datetime

    def name_of(self, attempt: int) -> str:
        """The name of an attempt's RayJob."""
        return ray_job_name(self.run.name, self.run.uid, attempt)

    def conflict_with(self, attempt: int) -> RayJob | None:
        """Somebody else's RayJob that has the name that the attempt needs."""
        name = self.name_of(attempt)
        others = self.children.others
        return next((job for job in others if (job.namespace, job.name) == (self.run.namespace, name)), None)

    @property
    def is_valid(self) -> bool:
        """Whether the spec is valid. If not, what exists is managed, and nothing is created."""
        return self.run.run is not None

    def elapsed(self, since: datetime | None) -> timedelta:
        """The time since then; none when the clock has been set back behind it."""
        return max(self.now - since, timedelta()) if since is not None else timedelta()


def view_of(run: RunObject, observed: Observed, now: datetime) -> View:
    """What is seen of a run."""
    now = now.replace(microsecond=0)
    recorded = recorded_of(run.status, now)
    adoption = adoption_of(run, observed.runtime)
    run = adoption.run
    return View(
        run=run,
        spec=run.spec,
        recorded=recorded,
        children=children_of(run, observed, recorded),
        report=report_of(run.status),
        refusal=observed.refusal,
        reports_since=observed.reports_since,
        others_heard=observed.others_heard,
        sharers=observed.sharers,
        is_chosen=observed.is_chosen,
        queue=observed.queue,
        initial=observed.initial,
        adoption=adoption,
        now=now,
    )


@dataclass(frozen=True)
class Children:
    """What exists of a run. `strays` are RayJobs of ours that no attempt can claim; `others` are not ours at all.

    `clusters` and `pods` are all that are labelled as the run's, so that no attempt begins beside one of them.
    """

    jobs: Mapping[int, RayJob]
    strays: tuple[RayJob, ...]
    others: tuple[RayJob, ...]
    clusters: tuple[RayCluster, ...]
    pods: tuple[Pod, ...]

    @property
    def all_gone(self) -> bool:
        """Whether nothing of the run exists, so that another attempt may begin."""
        return not (self.jobs or self.strays or self.clusters or self.pods)

    def clusters_of(self, attempt: int) -> tuple[RayCluster, ...]:
        """The RayClusters of an attempt; two while one follows the other after a pre-emption."""
        return tuple(cluster for cluster in self.clusters if cluster.attempt == attempt)

    def pods_of(self, attempt: int) -> tuple[Pod, ...]:
        """The pods of an attempt that KubeRay made: what others label like them tells nothing of it."""
        return tuple(pod for pod in self.pods if pod.attempt == attempt and self._is_controlled(pod))

    def _is_controlled(self, pod: Pod) -> bool:
        """Whether the pod's RayCluster is of its attempt's RayJob, as far as both can be seen."""
        job = self.jobs.get(pod.attempt)
        cluster = next((cluster for cluster in self.clusters if cluster.uid == pod.cluster_uid), None)
        if cluster is not None:
            return job is None or cluster.owner_uid == job.uid
        return bool(pod.cluster_uid) and (job is None or pod.cluster_name == job.ray_cluster_name)

    def head_of(self, attempt: int, known: str | None = None) -> Pod | None:
        """The newest pod of an attempt's head that is not on its way out; that with the uid `known` while it stays.

        A second head beside it replaces none.
        """
        heads = [pod for pod in self.pods_of(attempt) if pod.group == RAY_HEAD_VALUE and not pod.deleting]
        return max(heads, key=lambda pod: (pod.uid == known, pod.created, pod.uid), default=None)

    def remains(self) -> str:
        """What still exists, by the name of what the rest goes away with; few words that change seldom."""
        jobs = [f"RayJob {job.name}" for job in (*self.jobs.values(), *self.strays)]
        clusters = [f"RayCluster {cluster.name}" for cluster in self.clusters]
        pods = [f"pod {pod.name}" + (f" on node {pod.node}" if pod.node else "") for pod in self.pods]
        names = sorted(jobs or clusters or pods)
        return f"{names[0]} and others" if len(names) > 1 else "".join(names)


def children_of(run: RunObject, observed: Observed, recorded: Recorded) -> Children:
    """The run's objects among `observed`, matched with its attempts."""
    known = {entry.ray_job_uid: entry.index for entry in recorded.attempts if entry.ray_job_uid}
    jobs: dict[int, RayJob] = {}
    strays: list[RayJob] = []
    others: list[RayJob] = []
    # Those with a recorded uid first: they are the attempt, even where another object claims its number.
    for job in sorted(observed.ray_jobs, key=lambda job: (job.uid not in known, job.created, job.uid)):
        is_known = job.uid in known and job.namespace == run.namespace
        if not is_known and not belongs_to(job, run.namespace, run.uid):
            others.append(job)
            continue
        attempt = known.get(job.uid, _claimed(run, job, recorded.highest_index))
        if not 0 <= attempt <= MAX_INDEX or attempt in jobs:
            strays.append(job)
        else:
            jobs[attempt] = job
    return Children(
        jobs=jobs,
        strays=tuple(strays),
        others=tuple(others),
        clusters=tuple(cluster for cluster in observed.ray_clusters if belongs_to(cluster, run.namespace, run.uid)),
        pods=tuple(pod for pod in observed.pods if belongs_to(pod, run.namespace, run.uid)),
    )


def _claimed(run: RunObject, job: RayJob, highest_index: int) -> int:
    """The attempt that a RayJob of ours is by its label and its name; by its name when somebody has taken its label.

    One that only says so, as a copy by another name does, is none.
    """
    attempt = job.attempt if job.attempt >= 0 else max(highest_index, 0)
    return attempt if job.name == ray_job_name(run.name, run.uid, attempt) else -1
