"""A connection to an API server in memory, and what such a server holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from server import Server

from trainingrun.kube.transport import Request, Response

NAMESPACE = "training"
LATENCY = 0.01


class Connection:
    """A transport that remembers what was sent, and when. `meddle` may answer, fail or wait instead of the server.

    Watches are quiet, unless `lines` says otherwise.
    """

    def __init__(self, server: Server | None = None):
        self.server = server or Server()
        self.meddle: Callable[[Request], Any] = lambda request: None
        self.lines: Callable[[Request], AsyncIterator[bytes]] = quiet
        self.sent: list[tuple[float, Request]] = []

    async def send(self, request: Request) -> Response:
        self.sent.append((asyncio.get_running_loop().time(), request))
        await asyncio.sleep(LATENCY)
        answer = self.meddle(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return answer if answer is not None else self.server.handle(request)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[tuple[Response, AsyncIterator[bytes]]]:
        self.sent.append((asyncio.get_running_loop().time(), request))
        await asyncio.sleep(LATENCY)
        answer = self.meddle(request)
        yield answer or Response(200, {}, b""), self.lines(request)

    async def close(self) -> None:
        pass

    def paths(self, method: str) -> list[str]:
        return [request.path for _, request in self.sent if request.method == method]


async def quiet(request: Request) -> AsyncIterator[bytes]:
    """No change until the API server ends the watch, as it was asked to."""
    await asyncio.sleep(float(request.query["timeoutSeconds"]))
    return
    yield b""


async def never(request: Request | None = None) -> Response:
    """No answer."""
    await asyncio.sleep(86_400)
    raise AssertionError("nobody waits for so long")


def run_body(name: str = "mnist", uid: str = "run-1", version: int = 5, **status: Any) -> dict[str, Any]:
    """A run as the API server sends it."""
    return {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "uid": uid,
            "resourceVersion": str(version),
            "generation": 1,
        },
        "spec": {
            "image": "trainer:1",
            "recipe": {"dataset": {"train": {"format": "Parquet", "path": "/data"}}},
            "storage": {"uri": "s3://acme/runs"},
        },
        "status": status,
    }


def child_body(
    name: str, version: int = 6, *, run_uid: str = "run-1", owner: str | None = None, attempt: int = 0, **status: Any
) -> dict[str, Any]:
    """A RayJob, RayCluster or pod of a run."""
    metadata: dict[str, Any] = {
        "namespace": NAMESPACE,
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "labels": {
            "app.kubernetes.io/managed-by": "trainingrun-operator",
            "trainingrun.dev/run-uid": run_uid,
            "trainingrun.dev/attempt": str(attempt),
            "trainingrun.dev/group": "head",
        },
    }
    if owner is not None:
        metadata["ownerReferences"] = [{"uid": owner, "controller": True}]
    return {"metadata": metadata, "status": status}
