"""Changing `spec.suspend`, the one field of a run that can change: what `suspend` and `resume` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingrun.client.problems import ClusterError

if TYPE_CHECKING:
    from trainingrun.client.session import Session

# The field manager of what users change with this program.
MANAGER = "trainingrun-cli"


async def set_suspend(session: Session, name: str, suspend: bool) -> bool:
    """Write `spec.suspend`; False if it already has this value. A run that is over cannot be changed."""
    from trainingrun.kube.resources import TRAINING_RUNS
    from trainingrun.status_page import run_view_of

    body = await session.run(name)
    view = run_view_of(body)
    for ended in ("Complete", "Failed"):
        if view.holds(ended):
            raise ClusterError(f"{name} is over ({ended}): there is nothing to {'suspend' if suspend else 'resume'}.")
    if view.suspend == suspend:
        return False
    # With the uid, so that a different run that got this name in the meantime is left alone.
    patch = {"metadata": {"uid": view.uid}, "spec": {"suspend": suspend}}
    await session.api.merge(TRAINING_RUNS, session.namespace, name, patch, manager=MANAGER)
    return True
