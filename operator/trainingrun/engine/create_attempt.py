"""Creates the RayJob of an attempt, when it is certain that no other attempt of the run can be alive.

The cache may be behind the cluster and this process may be slower than another operator, so the cache is not
enough: the API server is asked, and what it answered is used for a few seconds only. It must never adopt a RayJob
that is not the run's, and it must not decide whether to create: `lifecycle.permission` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from trainingrun.engine.cache import Cache
from trainingrun.engine.fresh_read import listed
from trainingrun.kube import AlreadyExists, Api, Body, Conflict, Forbidden, NotFound, Rejected, Transient
from trainingrun.kube.resources import PODS, RAY_CLUSTERS, RAY_JOBS, TRAINING_RUNS
from trainingrun.lifecycle.permission import Creation, FirstWrite, FreshRead
from trainingrun.observed import RunObject
from trainingrun.render import RenderSettings, ray_job
from trainingrun.status.conditions import Reason

# From the first question to the API server until the create is sent, and until the server must have carried it out.
# Together less than the shortest pause between two attempts (10 s): a create that was right when it was thought of
# cannot come so late that the next attempt may live.
CHECK_SECONDS = 3.0
CREATE_SECONDS = 5.0


class StillThere(Conflict):
    """Something of an earlier attempt exists: the next one must wait. The watches report when it is gone."""


async def confirm_current(api: Api, run: RunObject) -> None:
    """Ask the API server whether the run is as it was seen. Raises `Conflict` if not."""
    metadata = (await api.get(TRAINING_RUNS, run.namespace, run.name))["metadata"]
    is_same = (metadata["uid"], metadata["resourceVersion"]) == (run.uid, run.resource_version)
    if not is_same or "deletionTimestamp" in metadata:
        raise Conflict("the run has changed since it was last seen")


class AttemptCreator:
    """Creates attempts. Whatever the API server refuses is kept with the run, for its status."""

    def __init__(self, api: Api, cache: Cache, settings: Callable[[], RenderSettings]):
        self._api = api
        self._cache = cache
        self._settings = settings
        self._clock = asyncio.get_running_loop().time

    async def create(self, run: RunObject, creation: Creation, *, written_at: float) -> None:
        """Create the attempt's RayJob, or take note that it exists or is refused.

        `written_at` is when the write was sent that is the proof of a `FirstWrite`. Raises `ApiError` if it cannot be
        done now.
        """
        manifest = ray_job(run, creation.attempt, self._settings(), creation.initial_checkpoint)
        match creation.proof:
            case FirstWrite():
                proved_at = written_at
            case FreshRead():
                proved_at = self._clock()
                await self._confirm_gone(run, manifest["metadata"]["name"])
                await confirm_current(self._api, run)
        if self._clock() - proved_at > CHECK_SECONDS:
            raise Transient("the API server was too slow to make sure that no other attempt is alive")
        try:
            body = await self._api.create(RAY_JOBS, run.namespace, manifest, seconds=CREATE_SECONDS)
        except AlreadyExists:
            await self._meet(run, manifest["metadata"]["name"])
        except (Forbidden, Rejected, NotFound) as error:
            self._cache.refuse(run.uid, (error.reason or type(error).__name__, error.message))
        else:
            self._accept(run, body)

    async def _confirm_gone(self, run: RunObject, name: str) -> None:
        for resource in (RAY_JOBS, RAY_CLUSTERS, PODS):
            async for body in listed(self._api, self._cache, resource, run):
                if resource is not RAY_JOBS or body["metadata"]["name"] != name:
                    raise StillThere(f"{resource.kind} {body['metadata']['name']} of an earlier attempt still exists")

    async def _meet(self, run: RunObject, name: str) -> None:
        """The name is taken: by this very attempt, created before a crash or by a lost answer, or by a stranger."""
        try:
            body = await self._api.get(RAY_JOBS, run.namespace, name)
        except NotFound as error:
            raise Conflict(f"RayJob {name} has just been deleted") from error
        owners = body["metadata"].get("ownerReferences") or ()
        if any(owner.get("uid") == run.uid and owner.get("controller") for owner in owners):
            self._accept(run, body)
        else:
            words = f"RayJob {name} exists and does not belong to this run"
            self._cache.refuse(run.uid, (str(Reason.NAME_CONFLICT), words))

    def _accept(self, run: RunObject, body: Body) -> None:
        self._cache.refuse(run.uid, None)
        self._cache.put(RAY_JOBS.kind, body)
