"""What the operator sees is late, out of order, doubled or missing; what it does is right all the same."""

from __future__ import annotations

import asyncio
import random

import pytest
import virtual_time
from network import Fault
from oracle import check, play
from scenarios import COMPLETE, RETRIED, RUN_DELETED, SUSPENDED, Scenario
from watching import Delivery
from world import SETTINGS, World

from trainingrun.kube.transport import Request

SEEDS = range(6)
DELIVERIES = {
    "late": Delivery(delay=8.0),
    "out-of-order": Delivery(delay=0.01, spread=4.0),
    "doubled": Delivery(spread=2.0, doubled=0.8),
    "a-third-missing": Delivery(dropped=0.33),
    "everything-at-once": Delivery(delay=0.5, spread=3.0, dropped=0.2, doubled=0.5),
}


CASES = [
    (name, scenario)
    for name, delivery in DELIVERIES.items()
    for scenario in (RETRIED, RUN_DELETED, *(() if delivery.dropped else (SUSPENDED,)))
]


@pytest.mark.parametrize(("delivery", "scenario"), CASES, ids=str)
def test_bad_watches_change_nothing_of_the_end(delivery: str, scenario: Scenario) -> None:
    async def main(seed: int) -> None:
        world = World(scenario.script)
        world.add_operator(delivery=DELIVERIES[delivery], seed=seed)
        # What was missed is found by one resync; each change may be missed anew.
        await play(scenario, world, quiet=3 * SETTINGS.resync_seconds)
        check(scenario, world)

    for seed in SEEDS:
        virtual_time.run(main(seed))


@pytest.mark.parametrize("scenario", [COMPLETE, RETRIED], ids=str)
def test_without_any_watch_each_resync_goes_on(scenario: Scenario) -> None:
    async def main() -> None:
        world = World(scenario.script)
        world.add_operator(delivery=Delivery(dropped=1.0))
        await play(scenario, world, quiet=3 * SETTINGS.resync_seconds)
        check(scenario, world)

    virtual_time.run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_reads_from_the_past_never_make_a_second_live_attempt(seed: int) -> None:
    """Every third read is answered as twenty seconds ago, for ten minutes; the write log tells what that led to."""
    chance = random.Random(seed)

    def plan(index: int, request: Request) -> Fault | None:
        is_early = asyncio.get_running_loop().time() < 600
        return Fault.STALE if is_early and chance.random() < 0.33 else None

    async def main() -> None:
        world = World(RETRIED.script)
        operator = world.add_operator(plan, delivery=Delivery(delay=3.0))
        operator.network.remember()
        await play(RETRIED, world, quiet=600.0)
        check(RETRIED, world)

    virtual_time.run(main())


@pytest.mark.parametrize("scenario", [RETRIED, RUN_DELETED, SUSPENDED], ids=str)
@pytest.mark.parametrize("begin", [0.02, 4.0, 33.0, 42.0])
def test_a_watch_that_falls_silent_and_lists_again_is_made_up_for_at_once(scenario: Scenario, begin: float) -> None:
    """Deletions of the silence are never told. Everything is known again long before the next regular resync."""

    async def main() -> float:
        world = World(scenario.script)
        operator = world.add_operator()
        loop = asyncio.get_running_loop()
        loop.call_later(begin, lambda: operator.watch and operator.watch.break_off())
        loop.call_later(begin + 60.0, lambda: operator.watch and operator.watch.list_again())
        # Longer than the silence.
        result = await play(scenario, world, quiet=100.0)
        check(scenario, world)
        return result.last_write

    assert virtual_time.run(main()) < begin + 60.0 + 180.0 < SETTINGS.resync_seconds
