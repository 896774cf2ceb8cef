"""Several operators act at the same time, as they may when leadership is not certain: never two live attempts."""

from __future__ import annotations

import asyncio
import random

import pytest
import virtual_time
from network import Fault, Plan
from oracle import check, play
from scenarios import ALL, RETRIED, RUN_DELETED, Scenario
from watching import Delivery
from world import World

from trainingrun.kube.transport import Request


@pytest.mark.parametrize("scenario", ALL, ids=str)
@pytest.mark.parametrize("lag", [0.05, 1.0, 5.0])
def test_two_operators_without_election_do_what_one_does(scenario: Scenario, lag: float) -> None:
    async def main() -> None:
        world = World(scenario.script)
        world.add_operator(delivery=Delivery(delay=0.05))
        world.add_operator(delivery=Delivery(delay=lag), seed=2)
        await play(scenario, world)
        check(scenario, world)

    virtual_time.run(main())


@pytest.mark.parametrize("scenario", [RETRIED, RUN_DELETED], ids=str)
def test_three_operators_that_are_killed_at_random_do_what_one_does(scenario: Scenario) -> None:
    def killing(seed: int) -> Plan:
        chance = random.Random(seed)

        def plan(index: int, request: Request) -> Fault | None:
            is_early = asyncio.get_running_loop().time() < 120
            draw = chance.random()
            if not is_early or draw > 0.2:
                return None
            return Fault.KILL_BEFORE if draw < 0.1 else Fault.KILL_AFTER

        return plan

    async def main(seed: int) -> int:
        world = World(scenario.script)
        for number in range(3):
            delivery = Delivery(delay=0.05 + number, spread=1.0)
            world.add_operator(killing(seed + number), delivery=delivery, seed=seed + number)
        await play(scenario, world)
        check(scenario, world)
        return sum(operator.kills for operator in world.operators)

    kills = sum(virtual_time.run(main(10 * seed)) for seed in range(20))
    assert kills > 100


@pytest.mark.parametrize("pause", [12.0, 45.0, 90.0])
def test_an_operator_that_was_stopped_for_a_while_does_no_harm(pause: float) -> None:
    """It goes on with the answers of then, whichever call it was stopped at, while another one has gone on."""

    async def main(number: int) -> int:
        world = World(RETRIED.script)
        sleeper = world.add_operator()
        sleeper.network.hold(number, pause)
        world.add_operator(delivery=Delivery(delay=0.2), seed=2)
        await play(RETRIED, world, quiet=120.0)
        check(RETRIED, world)
        return len(sleeper.network.calls)

    number, calls = 0, 16
    while number < calls:
        calls = max(calls, virtual_time.run(main(number)))
        number += 1
