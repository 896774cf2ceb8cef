"""What must hold when everything has healed: exactly the wanted objects, true conditions, and no harm on the way."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from datetime import datetime

from network import Call
from scenarios import NAME, Scenario
from virtual_time import EPOCH
from world import World

from trainingrun.engine.informer import WentBack
from trainingrun.engine.lease import LeadershipLost

CONDITIONS = (
    "Accepted",
    "Admitted",
    "PodsReady",
    "DataStarved",
    "Suspended",
    "Reconciling",
    "Stalled",
    "Complete",
    "Failed",
)
_MAY_HOLD = {"Admitted", "PodsReady"}


@dataclass(frozen=True)
class Played:
    """A scenario that was played to its end, and the time of the last write of any operator."""

    world: World
    last_write: float

    @property
    def calls(self) -> list[Call]:
        return self.world.calls()


async def play(scenario: Scenario, world: World, quiet: float = 0.0) -> Played:
    """Submit the run, let the scenario happen, and wait until all is quiet."""
    world.submit(NAME)
    await scenario.act(world)
    return Played(world, await world.settle(limit=36_000.0, quiet=max(quiet, scenario.quiet)))


def check_safety(world: World) -> None:
    """What holds of every story of one run: one attempt after the other, and none twice."""
    assert world.overlaps == []
    unexpected = [error for operator in world.operators for error in operator.errors if not _is_meant(error)]
    assert unexpected == []
    made = [attempt for name, attempt in world.created if name == NAME]
    assert made == sorted(set(made)), f"an attempt was made twice: {made}"


def _is_meant(error: BaseException) -> bool:
    """Whether an operator ends with this on purpose, to be started afresh."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_meant, error.exceptions))
    return isinstance(error, LeadershipLost | WentBack)


def check(scenario: Scenario, world: World) -> None:
    """Every promise that does not depend on what went wrong."""
    check_safety(world)
    made = [attempt for name, attempt in world.created if name == NAME]
    if scenario.is_deleted:
        assert [body["metadata"]["name"] for kind in _KINDS for body in world.server.of(kind)] == []
        return
    assert world.attempts(NAME) == scenario.attempts
    assert made == [index for index, _, _ in scenario.attempts]
    _check_counts(scenario, world)
    _check_back_off(world)
    holding = {kind for kind in CONDITIONS if world.condition(NAME, kind) == "True"}
    assert holding - _MAY_HOLD == set(scenario.true) - _MAY_HOLD
    assert [kind for kind in CONDITIONS if world.condition(NAME, kind) == "missing"] == []
    # The last attempt's RayJob stays to be read; its cluster has been given back.
    jobs = [body["metadata"]["labels"]["trainingrun.dev/attempt"] for body in world.server.of("rayjobs")]
    assert jobs == [str(made[-1])]
    assert world.names("rayclusters") == world.names("pods") == []


def _check_counts(scenario: Scenario, world: World) -> None:
    """Everything that counts was counted exactly once."""
    status = world.run(NAME)["status"]
    restarts = sum(entry["headRestarts"] for entry in status["attempts"])
    assert restarts == scenario.head_restarts
    assert status["failures"] == restarts + sum(entry["counted"] for entry in status["attempts"])


def _check_back_off(world: World) -> None:
    """No attempt came sooner than ten seconds after the failure before it, and twice as long after the second."""
    listed = world.run(NAME)["status"]["attempts"]
    wait = 10.0
    for before, after in itertools.pairwise(listed):
        if before["outcome"] == "Failed":
            ended = (datetime.fromisoformat(before["endTime"]) - EPOCH).total_seconds()
            assert world.born[NAME, after["index"]] >= ended + wait, f"attempt {after['index']} came too soon"
            wait *= 2


def check_pace(calls: list[Call], start: float, end: float, most_per_second: float = 1.0) -> None:
    """No hot loop: between these times an operator with one run asks for less than this."""
    made = [call for call in calls if start <= call.time < end and not call.path.endswith("/events")]
    assert len(made) < most_per_second * (end - start), f"{len(made)} calls in {end - start:.0f} s: {made[-5:]}"


def clock() -> float:
    return asyncio.get_running_loop().time()


_KINDS = ("rayjobs", "rayclusters", "pods")
