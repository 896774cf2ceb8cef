"""Kubernetes' events of a run and of what belongs to it."""

from __future__ import annotations

from datetime import UTC, datetime

from trainingrun.client.session import Session
from trainingrun.kube import Body
from trainingrun.kube.resources import EVENTS
from trainingrun.status_page import RunView
from trainingrun.status_page.overview import event_seen

_NEVER = datetime.fromtimestamp(0, UTC)


async def events_of(session: Session, view: RunView) -> list[Body]:
    """The events of the run, and of its attempts' RayJobs, clusters and pods, the newest last."""
    jobs = tuple(attempt.ray_job for attempt in view.attempts if attempt.ray_job)
    events = await session.api.list(EVENTS, session.namespace)
    about_it = [event for event in events if _is_about(event, view, jobs)]
    return sorted(about_it, key=lambda event: event_seen(event) or _NEVER)


def _is_about(event: Body, view: RunView, jobs: tuple[str, ...]) -> bool:
    about = event.get("involvedObject") or {}
    if about.get("uid"):
        own = about["uid"] == view.uid
    else:
        own = about.get("name") == view.name
    # Clusters and pods of a RayJob have names that begin with its own.
    return own or any(str(about.get("name")) == job or str(about.get("name")).startswith(f"{job}-") for job in jobs)
