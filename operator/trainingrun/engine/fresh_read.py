"""Asks the API server what exists of one run now, where a cache is not proof enough. It must not decide."""

from __future__ import annotations

from collections.abc import AsyncIterator

from trainingrun.engine.cache import Cache
from trainingrun.engine.readings import version_of
from trainingrun.kube import Api, Body, NotFound, Resource, Transient
from trainingrun.kube.resources import PODS, RAY_CLUSTERS, RAY_JOBS
from trainingrun.naming import run_selector
from trainingrun.observed import RunObject


async def listed(api: Api, cache: Cache, resource: Resource, run: RunObject) -> AsyncIterator[Body]:
    """All objects of a kind that are labelled as the run's. Raises `Transient` if the list is not of now."""
    known = cache.newest(resource.kind)
    async for page in api.pages(resource, run.namespace, selector=run_selector(run.uid)):
        for body in page.items:
            yield body
        if 0 < version_of({"resourceVersion": page.resource_version}) < known:
            raise Transient(f"the API server's list of {resource.plural} is older than what is already known")


async def read_afresh(api: Api, cache: Cache, run: RunObject, ray_job: str) -> None:
    """Have the cache show the RayJob of this name, and the run's RayClusters and pods, as they are now.

    The RayJob is read by its name, since it may have lost the label that watches select by.
    """
    known = cache.observed(run.uid)
    try:
        cache.put(RAY_JOBS.kind, await api.get(RAY_JOBS, run.namespace, ray_job), is_certain=True)
    except NotFound:
        for job in known.ray_jobs:
            if job.name == ray_job:
                cache.forget_uid(RAY_JOBS.kind, job.uid)
    for resource, children in ((RAY_CLUSTERS, known.ray_clusters), (PODS, known.pods)):
        found = set[str]()
        async for body in listed(api, cache, resource, run):
            found.add(str(body["metadata"]["uid"]))
            cache.put(resource.kind, body)
        for child in children:
            if child.uid not in found:
                cache.forget_uid(resource.kind, child.uid, cache.newest(resource.kind))
