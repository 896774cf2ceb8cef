"""The informers of runs and pods on an API server in memory, and what a watch may tell them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import virtual_time
from answering import NAMESPACE, Connection, run_body

from trainingrun.engine.cache import Cache
from trainingrun.engine.informer import Informer
from trainingrun.engine.intake import Intake
from trainingrun.engine.keys import Key
from trainingrun.engine.queue import WorkQueue
from trainingrun.kube import Api
from trainingrun.kube.resources import PODS, TRAINING_RUNS
from trainingrun.kube.transport import Request

KEY = Key(NAMESPACE, "mnist")
OURS = {"app.kubernetes.io/managed-by": "trainingrun-operator", "trainingrun.dev/run-uid": "trainingruns-1"}
FOREVER = 1e6


class Bench:
    """The informers of runs and pods, with all that they need, on an API server that has one run."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.connection.lines = self._lines
        self.server = self.connection.server
        self.server.create("trainingruns", NAMESPACE, run_body())
        self.cache = Cache()
        self.queue: WorkQueue[Key] = WorkQueue(lambda: 1.0)
        self.intake = Intake(self.cache, self.queue)
        self.sights = 0
        self.runs, self.pods = (
            Informer(Api(self.connection), self.intake, resource, None, lambda: 1.0, self._on_sight)
            for resource in (TRAINING_RUNS, PODS)
        )
        # What each watch of pods tells, and after how many seconds; the last one is the one that stays.
        self.told: list[list[tuple[float, Any]]] = []

    def _on_sight(self) -> None:
        self.sights += 1

    async def _lines(self, request: Request) -> AsyncIterator[bytes]:
        for pause, line in self.told.pop(0) if self.told else [(FOREVER, None)]:
            await asyncio.sleep(pause)
            if isinstance(line, Exception):
                raise line
            yield line if isinstance(line, bytes) else json.dumps(line).encode()

    def pod(self, name: str) -> dict[str, Any]:
        return self.server.create("pods", NAMESPACE, {"metadata": {"name": name, "labels": OURS}})

    def names(self) -> list[str]:
        return [pod.name for pod in self.cache.observed("trainingruns-1").pods]

    def lists(self) -> list[float]:
        """When pods were listed from the start."""
        return [round(time) for time, request in self._of_pods() if "watch" not in request.query]

    def watches(self) -> list[tuple[float, str]]:
        """When pods were watched, and from which version."""
        watches = [(time, request.query) for time, request in self._of_pods() if "watch" in request.query]
        return [(round(time), query["resourceVersion"]) for time, query in watches]

    def _of_pods(self) -> list[tuple[float, Request]]:
        return [(time, request) for time, request in self.connection.sent if request.path.endswith("/pods")]

    def know_of(self, kind: str, version: int) -> None:
        """Have seen a change that the API server does not know of."""
        body = {"metadata": {"namespace": NAMESPACE, "name": "x", "uid": "x", "resourceVersion": str(version)}}
        self.intake.take(kind, "ADDED", body)


def play(script: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        bench = Bench()
        await bench.runs.refresh()
        await script(bench)

    virtual_time.run(main())


def watched(bench: Bench) -> asyncio.Task[None]:
    return asyncio.create_task(bench.pods.keep())


def at_version(version: int, kind: str = "BOOKMARK") -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": {"resourceVersion": str(version)}}}


def error(code: int) -> dict[str, Any]:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "message": "no", "reason": "No"}}
