"""A cluster with operators in it: the real queue, cache, plan, rendering and status on an API server in memory."""

from __future__ import annotations

import asyncio
from typing import Any

from kuberay import Ending, KubeRay, Script
from network import Call, Network, Plan, no_faults
from server import Server
from virtual_time import now
from watching import Delivery, Watch

from trainingrun.engine.assembly import Parts, assemble
from trainingrun.engine.settings import Settings

NAMESPACE = "team"
RESTART_SECONDS = 1.0
SETTINGS = Settings(leader_election=False, workers=12, max_writes=6)


def document(name: str, **spec: Any) -> dict[str, Any]:
    """A TrainingRun."""
    recipe = {
        "dataset": {"train": {"format": "Parquet", "path": "/data/train"}},
        "model": {"function": "torchvision.models:resnet18"},
    }
    base = {"image": "trainer:1", "recipe": recipe, "storage": {"uri": "s3://bucket/runs"}}
    return {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": name},
        "spec": {**base, **spec},
        "status": {"observedGeneration": -1},
    }


class SimulatedOperator:
    """One replica. It can be killed at any moment, and is then started again as by a kubelet."""

    def __init__(
        self,
        world: World,
        plan: Plan = no_faults,
        delivery: Delivery | None = None,
        seed: int = 1,
        settings: Settings = SETTINGS,
    ):
        self._world = world
        self._settings = settings
        self._delivery = delivery or Delivery()
        self._seed = seed
        self._tasks: list[asyncio.Task[None]] = []
        # Changes that its watches were told, in all its lives.
        self.heard = 0
        self.watch: Watch | None = None
        self.network = Network(world.server, plan, self._die)
        self.parts: Parts | None = None
        self.kills = 0
        self.errors: list[BaseException] = []
        self.start()

    def start(self) -> None:
        self.parts = parts = assemble(self._settings, self.network, now=now, jitter=lambda: 1.0)
        self._tasks = [asyncio.create_task(self._live(parts)), asyncio.create_task(parts.events.work())]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Die, and stay dead."""
        if self.watch is not None:
            self.watch.stop()
            self.watch = None
        for task in self._tasks:
            task.cancel()

    def _next_number(self) -> int:
        self.heard += 1
        return self.heard - 1

    def _die(self) -> None:
        self.kills += 1
        self.stop()
        asyncio.get_running_loop().call_later(RESTART_SECONDS, self.start)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """The process ends with what cannot be healed inside."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.errors.append(error)
            self._die()

    async def _live(self, parts: Parts) -> None:
        """What the real process does, from its start to its end."""
        if parts.lease is not None:
            await parts.lease.acquire()
        async with asyncio.TaskGroup() as group:
            if parts.lease is not None:
                group.create_task(parts.lease.keep())
            self.watch = Watch(self._world.server, parts, self._delivery, self._seed, self.network, self._next_number)
            await parts.informers.first()
            for _ in range(self._settings.workers):
                group.create_task(parts.queue.work(parts.worker.look))
            group.create_task(parts.informers.keep_comparing(self._settings.resync_seconds))


class World:
    """The cluster. Attempts that ever lived, and any that lived beside another one, are recorded."""

    def __init__(self, script: Script | None = None):
        self.server = Server()
        self.kuberay = KubeRay(self.server, script or (lambda name, attempt: Ending()))
        self.operators: list[SimulatedOperator] = []
        self.created: list[tuple[str, int]] = []
        self.born: dict[tuple[str, int], float] = {}
        self.overlaps: list[str] = []
        self.server.listeners.append(self._record)

    def add_operator(self, *args: Any, **options: Any) -> SimulatedOperator:
        operator = SimulatedOperator(self, *args, **options)
        self.operators.append(operator)
        return operator

    def submit(self, name: str, **spec: Any) -> dict[str, Any]:
        return self.server.create("trainingruns", NAMESPACE, document(name, **spec))

    def edit(self, name: str, **spec: Any) -> None:
        run = self.run(name)
        metadata = {**run["metadata"], "generation": run["metadata"]["generation"] + 1}
        self.server.update("trainingruns", run, metadata=metadata, spec={**run["spec"], **spec})

    def run(self, name: str) -> dict[str, Any]:
        run = self.server.find("trainingruns", NAMESPACE, name)
        assert run is not None, f"{name} is gone"
        return run

    def condition(self, name: str, kind: str) -> str:
        conditions = self.run(name)["status"].get("conditions", [])
        return next((entry["status"] for entry in conditions if entry["type"] == kind), "missing")

    def attempts(self, name: str) -> list[tuple[int, str, str | None]]:
        listed = self.run(name)["status"].get("attempts", [])
        return [(entry["index"], entry["outcome"], entry.get("failureClass")) for entry in listed]

    def names(self, plural: str) -> list[str]:
        return sorted(body["metadata"]["name"] for body in self.server.of(plural))

    def calls(self) -> list[Call]:
        return sorted((call for operator in self.operators for call in operator.network.calls), key=lambda c: c.time)

    async def settle(self, limit: float = 3600.0, quiet: float = 60.0) -> float:
        """Wait until no operator has written for `quiet` seconds. Returns when the last write was."""
        clock = asyncio.get_running_loop().time
        begin = clock()
        while clock() < begin + limit:
            await asyncio.sleep(5.0)
            last = max((call.time for call in self.calls() if call.is_write), default=0.0)
            if clock() - max(last, begin) > quiet:
                return last
        raise AssertionError(f"still writing after {limit} s: {self.calls()[-5:]}")

    def _record(self, change: str, plural: str, body: dict[str, Any]) -> None:
        if plural != "rayjobs" or change != "ADDED":
            return
        labels = body["metadata"]["labels"]
        run_uid, attempt = labels["trainingrun.dev/run-uid"], int(labels["trainingrun.dev/attempt"])
        self.created.append((labels["trainingrun.dev/run-name"], attempt))
        self.born[self.created[-1]] = asyncio.get_running_loop().time()
        for kind in ("rayjobs", "rayclusters", "pods"):
            for other in self.server.of(kind):
                other_labels = other["metadata"].get("labels") or {}
                is_same = other["metadata"]["uid"] == body["metadata"]["uid"]
                if other_labels.get("trainingrun.dev/run-uid") == run_uid and not is_same:
                    self.overlaps.append(f"attempt {attempt} was made beside {kind} {other['metadata']['name']}")
