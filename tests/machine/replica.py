"""One operator as the pure core's contract wants it: caches that lag behind, and a reconcile that may stop anywhere.

Every call of the core is checked here: its results must be stable, and a later look must be in the future.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from cluster_model import World

from trainingrun.lifecycle import Decision, decide
from trainingrun.lifecycle.new_status import written_part
from trainingrun.lifecycle.permission import FirstWrite, FreshRead
from trainingrun.observed import Observed, RunObject

KINDS = ("run", "jobs", "clusters", "pods")


@dataclass
class Replica:
    """An operator. `seen` says up to where in the world's history each of its watches has come."""

    world: World
    seen: dict[str, int] = field(default_factory=dict)
    refusal: tuple[str, str] | None = None
    waiting_create: int | None = None
    began: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def sync(self, *kinds: str) -> None:
        """Bring watches up to date, all unless some are named."""
        for kind in kinds or KINDS:
            self.seen[kind] = len(self.world.history) - 1

    def restart(self) -> None:
        """Lose all that is in memory, and list everything."""
        self.refusal = self.waiting_create = None
        self.began = self.world.time
        self.sync()

    def view(self) -> tuple[RunObject, Observed]:
        """What the caches hold."""
        history = self.world.history
        observed = Observed(
            ray_jobs=history[self.seen["jobs"]].jobs,
            ray_clusters=history[self.seen["clusters"]].clusters,
            pods=history[self.seen["pods"]].pods,
            refusal=self.refusal,
            reports_since=history[0].time,
        )
        return history[self.seen["run"]].run, observed

    def decide(self, now: datetime) -> Decision:
        """The core's decision from this replica's view, after checks of what must always hold of it."""
        run, observed = self.view()
        decision = decide(run, observed, now)
        status = decision.status or written_part(run.status)
        again = decide(replace(run, status=merged(run.status, status)), observed, now)
        assert again.status is None, f"not a fixed point:\n{status}\n{again.status}"
        assert again.events == ()
        assert decision.look_again is None or decision.look_again > now
        if decision.create is not None and decision.create.proof == FirstWrite():
            assert decision.status is not None, "nothing is written that could prove anything"
        return decision

    def reconcile(self, now: datetime, calls: int = 100, *, hold_create: bool = False) -> int:
        """Carry out one reconcile of at most `calls` calls to the API server, and say how many were made.

        `hold_create` stops the process just before it confirms and creates, to be resumed any time later.
        """
        run, _ = self.view()
        decision = self.decide(now)
        if decision.read is not None:
            self.sync("jobs", "clusters", "pods")
            decision = self.decide(now)
        made = 0
        if decision.status is not None:
            if calls == 0 or not self.world.write_status(merged(run.status, decision.status), run.resource_version):
                return made
            calls, made = calls - 1, made + 1
        for gone in decision.delete:
            if calls == 0:
                return made
            self.world.delete(gone.kind, gone.name, gone.uid)
            calls, made = calls - 1, made + 1
        if decision.create is not None and calls > 0:
            must_read = decision.create.proof == FreshRead()
            if must_read and hold_create:
                self.waiting_create = decision.create.attempt
            else:
                made += self.create(decision.create.attempt, confirm=must_read)
        return made

    def create(self, attempt: int, *, confirm: bool) -> int:
        """Create an attempt's RayJob unless a consistent read shows that anything else of the run exists."""
        jobs = [
            job for job in self.world.jobs.values() if job.attempt == attempt and job.owner_uid == self.world.run.uid
        ]
        if confirm and not jobs and self.world.existing_attempts():
            return 0
        if confirm and self.world.existing_attempts() - {attempt}:
            return 0
        result = self.world.create_ray_job(attempt)
        if result == "Created":
            self.refusal = None
        elif result == "Refused":
            self.refusal = self.world.refusal
        return result == "Created"


def merged(old: object, new: dict[str, object]) -> dict[str, object]:
    """A status after server-side apply: ours replaced, the progress endpoint's left."""
    before = dict(old) if isinstance(old, dict) else {}
    kept = {key: value for key, value in before.items() if key == "trainerStatus"}
    data = {**before.get("dataStatus", {}), **new.get("dataStatus", {})}  # type: ignore[dict-item]
    return {**kept, **new, **({"dataStatus": data} if data else {})}
