"""A run, whatever else looks like a part of it, and a note of every cause for which it may end.

One attempt trains. What an operator's cache shows may be late, half of a list, or without what has lost a label; a
fresh read shows what is there. The attempt's truth is kept apart from what anybody can see.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cluster_model import START, UID, parsed

from trainingrun.lifecycle import decide
from trainingrun.naming import ray_job_name
from trainingrun.observed import Observed, Pod, RayCluster, RayJob, RunObject, Termination, Waiting

DEADLINE = 3600
NAME = ray_job_name("mnist", UID, 0)
GROUPS = ("head", "data", "trainer")
EXITS = {10: "UserError", 12: "InvalidConfig", 13: "UserError", 14: "Infrastructure", 33: "UserError"}
_RUN = parsed(None, {"backoffLimit": 0, "activeDeadlineSeconds": DEADLINE, "progressDeadlineSeconds": 31_536_000})[
    False
]


@dataclass(frozen=True)
class Cause:
    """Why the run may end with this class, from then on and until then."""

    failure_class: str
    since: datetime
    until: datetime


class World:
    """What is there, what a cache shows of it, and the run with its status."""

    def __init__(self, *, is_training: bool) -> None:
        self.time = START
        self.causes: list[Cause] = []
        self.run = RunObject("team", "mnist", UID, 1, "1", START, False, {}, _RUN, _RUN.spec, (), {})
        self.look()
        self.job: RayJob | None = RayJob(
            "team",
            NAME,
            "job",
            UID,
            0,
            START,
            False,
            False,
            "RUNNING",
            "Running",
            "",
            "",
            None,
            f"{NAME}-c",
            "",
            START,
            None,
        )
        self.cluster = RayCluster("team", f"{NAME}-c", "cluster", UID, 0, False, "ready", 2, 2, None, None, "job")
        self.pods = {group: self.pod(group) for group in GROUPS}
        self.strangers: list[RayJob | Pod] = []
        self.late_pods: tuple[Pod, ...] | None = None
        self.ghost: Pod | None = None
        self.is_job_hidden = False
        self.ended: datetime | None = None
        self.image_since: datetime | None = None
        # The cached pods that hid how the image was to be had again, and since when it had not been.
        self.healed_unseen: tuple[tuple[Pod, ...] | None, datetime | None] = None, None
        if not is_training:
            self.job = replace(self.job, job_status="", deployment_status="Initializing")
        self.look()

    def copy(self) -> World:
        """The same world, to go another way from here."""
        other = copy.copy(self)
        other.causes, other.pods, other.strangers = list(self.causes), dict(self.pods), list(self.strangers)
        return other

    def pod(self, group: str, **fields: Any) -> Pod:
        """A pod of the attempt."""
        known = Pod(
            "team",
            f"{NAME}-c-{group}-1",
            f"pod-{group}",
            UID,
            0,
            group,
            "node",
            "Running",
            True,
            False,
            START,
            "cluster",
        )
        return replace(known, cluster_name=f"{NAME}-c", **fields)

    def may_end_by(self, failure_class: str, *seconds: int, at: datetime | None = None) -> None:
        """Note a cause, of which the evidence is good for so many seconds, else for ever."""
        since = at or self.time
        until = since + timedelta(seconds=seconds[0]) if seconds else since + timedelta(days=3650)
        self.causes.append(Cause(failure_class, since, until))

    def never_mind(self, failure_class: str) -> None:
        """What caused this has healed."""
        self.causes = [cause for cause in self.causes if cause.failure_class != failure_class]

    def seen(self, *, afresh: bool) -> Observed:
        """What the cache shows, which a fresh read has brought up to date or not."""
        if afresh:
            self.late_pods, self.ghost, self.is_job_hidden = None, None, False
        pods = self.late_pods if self.late_pods is not None else tuple(self.pods.values())
        pods += (self.ghost,) if self.ghost is not None else ()
        jobs = () if self.job is None or self.is_job_hidden else (self.job,)
        return Observed(
            (*jobs, *(job for job in self.strangers if isinstance(job, RayJob))),
            (self.cluster,),
            (*pods, *(pod for pod in self.strangers if isinstance(pod, Pod))),
            reports_since=START,
        )

    def look(self, ahead: timedelta = timedelta()) -> datetime | None:
        """An operator looks, by a clock that may be ahead, and writes the status. When it wants to look again."""
        observed = self.seen(afresh=False) if hasattr(self, "job") else Observed()
        decision = decide(self.run, observed, self.time + ahead)
        if decision.read is not None:
            decision = decide(self.run, self.seen(afresh=True), self.time + ahead)
        if decision.status is not None:
            self.run = replace(self.run, status=decision.status)
        return decision.look_again

    @property
    def verdict(self) -> str | None:
        """The class that the run has failed by for good."""
        failed = next(held for held in self.run.status["conditions"] if held["type"] == "Failed")
        return failed["reason"] if failed["status"] == "True" else None

    @property
    def is_over(self) -> bool:
        """Whether the attempt has ended."""
        return self.run.status["attempts"][0]["outcome"] not in ("Pending", "Running")

    def check(self) -> None:
        """A run fails for good only if the world holds a cause of that class."""
        reason = self.verdict
        if reason is None:
            return
        if reason == "DeadlineExceeded":
            assert self.time >= START + timedelta(seconds=DEADLINE), "too early"
            return
        moment = self.ended or self.time
        held = [cause for cause in self.causes if cause.since <= moment <= cause.until]
        assert reason in {cause.failure_class for cause in held}, (reason, self.causes, self.run.status["attempts"])


def oom(container: str, time: datetime) -> tuple[Termination, ...]:
    """A container was killed for memory."""
    return (Termination(container, 137, "OOMKilled", "", time),)


def refused(container: str = "ray-worker", reason: str = "ErrImagePull") -> tuple[Waiting, ...]:
    """A container waits for an image that the registry does not give."""
    return (Waiting(container, reason, "manifest unknown"),)
