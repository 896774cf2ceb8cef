"""Removing a run, and waiting until nothing that belongs to it is left: it would block what comes next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from trainingrun.client.session import Session
from trainingrun.kube import NotFound
from trainingrun.kube.resources import PODS, RAY_CLUSTERS, RAY_JOBS, TRAINING_RUNS
from trainingrun.naming import run_selector

_POLL_SECONDS = 1.0


async def delete_run(session: Session, name: str) -> str:
    """Delete the run. Gives its uid."""
    body = await session.run(name)
    uid = str(body["metadata"]["uid"])
    try:
        await session.api.delete(TRAINING_RUNS, session.namespace, name, uid=uid)
    except NotFound:
        pass  # Someone else was faster; the result is the same.
    return uid


async def wait_until_gone(session: Session, uid: str, tell: Callable[[list[str]], None]) -> None:
    """Wait for everything with the run's label. `tell` gets once what is waited for."""
    is_told = False
    while left := await _left(session, uid):
        if not is_told:
            is_told = True
            tell(left)
        await asyncio.sleep(_POLL_SECONDS)


async def _left(session: Session, uid: str) -> list[str]:
    left = []
    for resource in (RAY_JOBS, RAY_CLUSTERS, PODS):
        try:
            found = await session.api.list(resource, session.namespace, selector=run_selector(uid))
        except NotFound:
            continue  # KubeRay is not installed, so that there is nothing of it.
        left += [f"{resource.kind} {body['metadata']['name']}" for body in found]
    return left
