"""Disturbs what operators see, in every way once and in many ways by chance, in every scenario of the simulation.

After Sieve (Sun et al., OSDI 2022): a view that is late, one that misses changes or gets them in another order, and one
that goes back in time when the operator starts anew. A disturbance that lasts for longer than what a scenario shows may
make another story of it; then only what holds of every story is asked.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import pytest
import virtual_time
from network import Fault, Plan, no_faults
from oracle import check, play
from remembered import remember
from scenarios import ALL, Scenario
from truth import Truth
from watching import Delivery, Mishap
from world import SETTINGS, World

from trainingrun.kube.transport import Request

KINDS = ("trainingruns", "rayjobs", "rayclusters", "pods")
# What is missed is found by the next full comparison.
_MISSED = float(SETTINGS.resync_seconds)
# With each, for how long the operator may not know what it would otherwise.
MISHAPS: Mapping[Mishap, float] = {
    Mishap(): _MISSED,
    Mishap((2.0,)): 2.0,
    Mishap((12.0,)): 12.0,
    Mishap((45.0,)): 45.0,
    Mishap((0.05, 0.05)): 0.0,
    Mishap((0.05, 7.0)): 0.0,
    Mishap((0.05, 60.0)): 0.0,
    Mishap(after=1): _MISSED,
    Mishap(after=3): _MISSED,
}
LAGS = (1, 2, 3, 5, 8, 13)
BEHIND_SECONDS = 300.0
AGES = (2.0, 10.0, 30.0, 90.0)
STALE_FOR = 30.0


@dataclass(frozen=True)
class Replica:
    """How one operator sees the world. It is killed after the call `killed_at`, and finds everything `age` s old.

    `fault` meets the call `fails_at`.
    """

    mishaps: Mapping[int, Mishap] = field(default_factory=dict)
    behind: Mapping[str, int] = field(default_factory=dict)
    killed_at: int | None = None
    age: float = 0.0
    fails_at: int | None = None
    fault: Fault | None = None

    def blind(self) -> float:
        """For how many seconds it may not see what there is."""
        late = [MISHAPS[mishap] for mishap in self.mishaps.values()]
        late += [BEHIND_SECONDS] if self.behind else []
        late += [_MISSED] if self.age else []
        late += [120.0] if self.fault is not None else []
        return sum(late)

    def plan(self) -> Plan:
        """What becomes of its calls."""
        if self.killed_at is None and self.fault is None:
            return no_faults
        killed: list[float] = []

        def plan(index: int, request: Request) -> Fault | None:
            now = asyncio.get_running_loop().time()
            if index == self.killed_at:
                killed.append(now)
                return Fault.KILL_AFTER
            if killed and now < killed[0] + STALE_FOR and request.method == "GET":
                return Fault.STALE
            return self.fault if index == self.fails_at else None

        return plan


@dataclass(frozen=True)
class Story:
    """A scenario as these replicas see it."""

    scenario: Scenario
    replicas: tuple[Replica, ...]

    def __str__(self) -> str:
        return f"{self.scenario} as seen by {' and '.join(map(str, self.replicas))}"


def tell(story: Story) -> tuple[int, int]:
    """Play it to its end and judge it. Returns how many changes and calls there were, of the first replica."""

    async def main() -> tuple[int, int]:
        world = World(story.scenario.script)
        truth = Truth(world)
        for number, replica in enumerate(story.replicas):
            behind = Delivery(mishaps=replica.mishaps, behind=replica.behind, behind_until=BEHIND_SECONDS)
            operator = world.add_operator(replica.plan(), delivery=behind, seed=number)
            operator.network.stale_seconds = replica.age
            if replica.age:
                operator.network.remember()
        await play(story.scenario, world, quiet=3 * SETTINGS.resync_seconds)
        truth.check_at_rest()
        if max(replica.blind() for replica in story.replicas) < story.scenario.lasts:
            check(story.scenario, world)
        return world.operators[0].heard, len(world.operators[0].network.calls)

    try:
        return virtual_time.run(main())
    except Exception as error:
        raise AssertionError(f"{story}: {error}") from error


def size(scenario: Scenario) -> tuple[int, int]:
    """How many changes there are in an undisturbed scenario, and calls about them."""
    return _sizes()[scenario.name]


@cache
def _sizes() -> dict[str, tuple[int, int]]:
    return {scenario.name: tell(Story(scenario, (Replica(),))) for scenario in ALL}


def _each() -> Iterator[Story]:
    for scenario in ALL:
        changes, calls = size(scenario)
        for number, mishap in itertools.product(range(changes), MISHAPS):
            yield Story(scenario, (Replica(mishaps={number: mishap}),))
        for lag, kinds in itertools.product(LAGS, [*((kind,) for kind in KINDS), KINDS]):
            yield Story(scenario, (Replica(behind=dict.fromkeys(kinds, lag)),))
        for lags in itertools.product((0, *LAGS), LAGS):
            yield Story(scenario, tuple(Replica(behind=dict.fromkeys(KINDS, lag)) for lag in lags))
        for number, age in itertools.product(range(calls), AGES):
            yield Story(scenario, (Replica(killed_at=number, age=age),))


@cache
def each() -> tuple[Story, ...]:
    """Every single disturbance of every scenario."""
    return tuple(_each())


def by_chance(seed: int) -> Story:
    """Two disturbances at least, of one replica or two."""
    choose = random.Random(seed)
    scenario = choose.choice(ALL)
    return Story(scenario, tuple(_disturbed(choose, scenario) for _ in range(choose.choice((1, 1, 2)))))


def _disturbed(choose: random.Random, scenario: Scenario) -> Replica:
    changes, calls = size(scenario)
    kinds = choose.sample(KINDS, choose.choice((0, 0, 1, 2, 4)))
    is_killed, fails = choose.random() < 0.3, choose.random() < 0.4
    return Replica(
        mishaps={
            choose.randrange(changes): choose.choice(list(MISHAPS)) for _ in range(choose.choice((0, 1, 2, 2, 3)))
        },
        behind={kind: choose.choice(LAGS) for kind in kinds},
        killed_at=choose.randrange(calls) if is_killed else None,
        # The API server's reads are of now. Of ones that are not, a RayJob that somebody else deletes is too much.
        age=choose.choice(AGES) if is_killed and scenario.lasts else 0.0,
        fails_at=choose.randrange(calls) if fails else None,
        fault=choose.choice(list(Fault)) if fails else None,
    )


def single(number: int) -> int:
    """Try one single disturbance, by its number."""
    tell(each()[number])
    return 1


def pair(seed: int) -> int:
    """Try several disturbances, by chance."""
    tell(by_chance(seed))
    return 1


def prepare() -> None:
    """Parse and render each run once in this process, and have it say nothing of what goes wrong on purpose."""
    remember(pytest.MonkeyPatch())
    logging.disable(logging.CRITICAL)
