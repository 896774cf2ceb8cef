"""A client that knows beforehand what the operator would write for a run, and only writes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bench.control_plane.client import APPLY, IN_FLIGHT, Object, PlainClient
from bench.control_plane.runs import rendered
from trainingrun.contract.labels import FIELD_MANAGER
from trainingrun.kube.resources import EVENTS, RAY_JOBS, TRAINING_RUNS
from trainingrun.lifecycle.new_status import written_part

_STATUS = f"{TRAINING_RUNS.plural}/status"


class Writer:
    """Writes for each of `runs` runs its share of `writes`: as many requests of each kind, and as large ones."""

    def __init__(self, writes: Mapping[str, int], runs: int, examples: Mapping[str, Any]):
        self._statuses = round(writes.get(_STATUS, 0) / runs)
        self._events = round(writes.get(EVENTS.plural, 0) / runs)
        self._status = written_part(examples["status"])
        self._event = {key: value for key, value in examples["event"].items() if key != "metadata"}
        self._turn = asyncio.Semaphore(IN_FLIGHT)
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def follow(self, client: PlainClient, run: Object) -> None:
        """Everything for one run, in the operator's order: a status, the RayJob, the other statuses."""
        namespace, name = run["metadata"]["namespace"], run["metadata"]["name"]
        async with self._turn:
            for number in range(max(1, self._statuses)):
                if number < self._statuses:
                    await self._put_status(client, run, number)
                if number == 0:
                    query = f"?fieldManager={FIELD_MANAGER}&fieldValidation=Strict"
                    await client.send("POST", RAY_JOBS.path(namespace) + query, rendered(run))
        for number in range(self._events):
            self._waiting.put_nowait((namespace, f"{name}.{number}"))

    @asynccontextmanager
    async def at_work(self, client: PlainClient) -> AsyncIterator[None]:
        """Posts the Events meanwhile, one after the other as the operator does."""
        poster = asyncio.create_task(self._post(client))
        try:
            yield
            await self._waiting.join()
        finally:
            poster.cancel()

    async def _put_status(self, client: PlainClient, run: Object, number: int) -> None:
        names = {key: run["metadata"][key] for key in ("name", "namespace", "uid")}
        # Each one is another one: what changes nothing is not stored.
        status = {**self._status, "failures": number}
        body = {"apiVersion": run["apiVersion"], "kind": run["kind"], "metadata": names, "status": status}
        path = TRAINING_RUNS.path(names["namespace"], names["name"], "status")
        await client.send("PATCH", f"{path}?fieldManager={FIELD_MANAGER}&force=true", body, APPLY)

    async def _post(self, client: PlainClient) -> None:
        while True:
            namespace, name = await self._waiting.get()
            body = {**self._event, "metadata": {"namespace": namespace, "name": name}}
            await client.send("POST", EVENTS.path(namespace), body)
            self._waiting.task_done()
