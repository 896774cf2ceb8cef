"""Everything that a decision may look at, in one value: what the run wants, remembers and has, and the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from trainingrun.naming import ray_job_name
from trainingrun.observed import Observed, RayJob, RunObject
from trainingrun.spec.run import RunSpec
from trainingrun.status.children import Children, children_of
from trainingrun.status.recorded import Recorded, recorded_of
from trainingrun.status.reports import Report, report_of


@dataclass(frozen=True)
class View:
    """A run with a valid spec, as it is seen at `now`, a whole second."""

    run: RunObject
    spec: RunSpec
    recorded: Recorded
    children: Children
    report: Report
    refusal: tuple[str, str] | None
    reports_since: datetime | None
    now: datetime

    def name_of(self, attempt: int) -> str:
        """The name of an attempt's RayJob."""
        return ray_job_name(self.run.name, self.run.uid, attempt)

    def conflict_with(self, attempt: int) -> RayJob | None:
        """Somebody else's RayJob that has the name that the attempt needs."""
        name = self.name_of(attempt)
        others = self.children.others
        return next((job for job in others if (job.namespace, job.name) == (self.run.namespace, name)), None)

    def elapsed(self, since: datetime | None) -> timedelta:
        """The time since then; none when the clock has been set back behind it."""
        return max(self.now - since, timedelta()) if since is not None else timedelta()


def view_of(run: RunObject, spec: RunSpec, observed: Observed, now: datetime) -> View:
    """What is seen of a run."""
    now = now.replace(microsecond=0)
    recorded = recorded_of(run.status, now)
    return View(
        run=run,
        spec=spec,
        recorded=recorded,
        children=children_of(run, observed, recorded),
        report=report_of(run.status),
        refusal=observed.refusal,
        reports_since=observed.reports_since,
        now=now,
    )
