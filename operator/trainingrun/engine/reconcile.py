"""One run, once: from what is known about it to requests to the API server. This is the whole operator in miniature.

It never asks what has changed, and every step leaves a state from which the next reconcile continues. The order
matters: status first, so that how an attempt ended is on record before its RayJob is deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from trainingrun.contract.labels import FIELD_MANAGER
from trainingrun.engine.cache import Cache
from trainingrun.engine.create_attempt import AttemptCreator, confirm_current
from trainingrun.engine.events import EventPoster
from trainingrun.engine.fresh_read import read_afresh
from trainingrun.engine.keys import Key
from trainingrun.engine.workloads import ask_queue
from trainingrun.kube import Api, Conflict, NotFound, Resource
from trainingrun.kube.resources import PODS, RAY_CLUSTERS, RAY_JOBS, TRAINING_RUNS
from trainingrun.lifecycle import Decision, decide
from trainingrun.lifecycle.deletions import ObjectReference
from trainingrun.naming import run_selector
from trainingrun.observed import RunObject

_RESOURCES: dict[str, Resource] = {resource.kind: resource for resource in (RAY_JOBS, RAY_CLUSTERS, PODS)}


class Result(StrEnum):
    """What a reconcile led to."""

    GONE = "gone"
    UNCHANGED = "unchanged"
    WRITTEN = "written"


@dataclass(frozen=True)
class Outcome:
    """The result, in how many seconds to reconcile again if nothing happens before, and whom else to reconcile now."""

    result: Result
    look_again: float | None = None
    waiting: tuple[Key, ...] = ()


class Reconciler:
    """Brings runs to where they should be."""

    def __init__(
        self, api: Api, cache: Cache, creator: AttemptCreator, events: EventPoster, now: Callable[[], datetime]
    ):
        self._api = api
        self._cache = cache
        self._creator = creator
        self._events = events
        self._now = now
        self._clock = asyncio.get_running_loop().time
        # By the run that has a folder in storage, those that wait for it.
        self._waiting: dict[Key, set[Key]] = {}

    async def reconcile(self, key: Key) -> Outcome:
        """Reconcile the run once. Raises `ApiError` when a step failed; the next reconcile repeats it."""
        run = self._cache.run(key)
        outcome = await self._reconcile(key, run) if run is not None and not run.deleting else Outcome(Result.GONE)
        # Only now: whoever still waits says so again when it is looked at.
        return replace(outcome, waiting=tuple(sorted(self._waiting.pop(key, ()))))

    async def _reconcile(self, key: Key, run: RunObject) -> Outcome:
        now, began = self._now(), self._clock()
        decision = decide(run, self._cache.observed(run.uid), now)
        if decision.ask_queue is not None:
            await ask_queue(self._api, self._cache, run, decision.ask_queue, now)
            now, began = self._now(), self._clock()
            decision = decide(run, self._cache.observed(run.uid), now)
        if decision.read is not None:
            await read_afresh(self._api, self._cache, run, decision.read)
            now, began = self._now(), self._clock()
            decision = decide(run, self._cache.observed(run.uid), now)
        self._note(key, run, decision)
        # Of now: by the time of a delete the cache may know more than was decided about.
        versions = {gone.uid: self._cache.version(gone.kind, gone.uid) for gone in decision.delete}
        written = await self._write_status(run, decision)
        if decision.delete and written is None:
            await confirm_current(self._api, run)
        for reference in decision.delete:
            await self._delete(run, reference, versions[reference.uid])
        if decision.create is not None:
            await self._creator.create(written or run, decision.create, written_at=began)
        # A write changes nothing where others hold what it leaves out: it must not be repeated at once.
        changed = written is not None and written.resource_version != run.resource_version
        acted = changed or decision.delete or decision.create is not None
        due = decision.look_again
        seconds = max(0.0, (due - now).total_seconds()) if due is not None else None
        return Outcome(Result.WRITTEN if acted else Result.UNCHANGED, seconds)

    def _note(self, key: Key, run: RunObject, decision: Decision) -> None:
        """Keep what other runs with the same folder need to know, before anything is awaited."""
        if decision.waits_for is not None:
            self._waiting.setdefault(Key(*decision.waits_for), set()).add(key)
        if decision.status is not None and decision.status.get("attempts"):
            self._cache.folders.choose(run.uid)

    async def _write_status(self, run: RunObject, decision: Decision) -> RunObject | None:
        """Write the decision's status, if it has one: the run as it is then, or None if there was nothing to write."""
        if decision.status is None:
            return None
        body = await self._api.apply_status(
            TRAINING_RUNS,
            run.namespace,
            run.name,
            decision.status,
            manager=FIELD_MANAGER,
            uid=run.uid,
            resource_version=run.resource_version,
        )
        # The next reconcile must not start from the same state as this one.
        self._cache.put(TRAINING_RUNS.kind, body)
        for event in decision.events:
            self._events.post(run, event)
        return replace(run, resource_version=body["metadata"]["resourceVersion"])

    async def _delete(self, run: RunObject, reference: ObjectReference, version: str | None) -> None:
        """Delete exactly this object, as it was seen. The response is a Status if it is gone at once."""
        resource, uid = _RESOURCES[reference.kind], reference.uid
        place = reference.namespace, reference.name
        try:
            body = await self._api.delete(resource, *place, uid=uid, resource_version=version)
        except NotFound:
            body = {}
        except Conflict:
            # It differs from what was decided about: see what it is now, and reconcile again.
            for found in await self._api.list(resource, reference.namespace, selector=run_selector(run.uid)):
                self._cache.put(reference.kind, found)
            raise
        if body.get("kind") == reference.kind and body["metadata"]["uid"] == uid:
            self._cache.put(reference.kind, body)
        else:
            self._cache.forget_uid(reference.kind, uid)
