"""A run whose runtime comes late, is changed and goes, while the operator is killed after any of its calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import virtual_time
from network import Fault, Plan
from oracle import check
from scenarios import NAME, RETRIED, running
from world import NAMESPACE, World

TEMPLATE = {"image": "given:1", "storage": {"uri": "s3://given/runs"}, "env": [{"name": "LEVEL", "value": "info"}]}


def played(plan: Plan) -> World:
    async def main() -> World:
        world, images = World(RETRIED.script), set[str]()

        def hear(change: str, plural: str, body: dict[str, Any]) -> None:
            if (change, plural) == ("ADDED", "rayjobs"):
                head = body["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
                images.add(head["containers"][0]["image"])

        world.server.listeners.append(hear)
        world.add_operator(plan)
        world.submit(NAME, image=None, storage=None, runtimeRef={"kind": "TrainingRuntime", "name": "gpu"})
        await asyncio.sleep(20.0)
        body = {"metadata": {"name": "gpu"}, "spec": {"template": TEMPLATE}}
        runtime = world.server.create("trainingruntimes", NAMESPACE, body)
        await running(world)
        runtime = world.server.update("trainingruntimes", runtime, spec={"template": TEMPLATE | {"image": "given:2"}})
        await asyncio.sleep(20.0)
        world.server.delete("trainingruntimes", runtime)
        await world.settle(limit=3600.0, quiet=RETRIED.quiet)
        check(RETRIED, world)
        assert images == {"given:1"}
        assert world.run(NAME)["status"]["runtime"]["template"] == TEMPLATE
        return world

    return virtual_time.run(main())


def test_a_run_keeps_the_runtime_that_it_began_with(record_points: Callable[[int], None]) -> None:
    def killed_at(number: int) -> Plan:
        return lambda index, request: Fault.KILL_AFTER if index == number else None

    count = len(played(lambda index, request: None).calls())
    record_points(count)
    for number in range(count):
        played(killed_at(number))
