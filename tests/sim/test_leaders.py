"""Two replicas with a Lease: one acts, the other takes over, and one that was too slow to notice does no harm."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import virtual_time
from network import Call, Fault, Plan
from oracle import check, play
from scenarios import RETRIED, SUSPENDED, Scenario
from world import SETTINGS, SimulatedOperator, World

from trainingrun.kube.transport import Request

ELECTING = replace(SETTINGS, leader_election=True, lease_namespace="operators")
# The standby looks at the Lease every two seconds.
TAKEN_OVER = ELECTING.lease_seconds + 5.0


def at_call_about_runs(number: int, fault: Fault) -> Plan:
    """The fault at this call, of those that are not about the Lease."""
    seen = iter(range(1_000_000))

    def plan(index: int, request: Request) -> Fault | None:
        return fault if "/leases" not in request.path and next(seen) == number else None

    return plan


def cut_off(begin: float, end: float, fault: Fault) -> Plan:
    """The fault between these times, at every call."""

    def plan(index: int, request: Request) -> Fault | None:
        return fault if begin <= asyncio.get_running_loop().time() < end else None

    return plan


async def led(scenario: Scenario, plan: Plan) -> tuple[World, SimulatedOperator]:
    """A world in which the first leader met with the plan, and the scenario has come to its end all the same."""
    world = World(scenario.script)
    leader = world.add_operator(plan, settings=ELECTING)
    await asyncio.sleep(1.0)
    world.add_operator(seed=2, settings=ELECTING)
    await play(scenario, world, quiet=120.0)
    check(scenario, world)
    return world, leader


def strays(world: World) -> list[Call]:
    """Writes that were carried out while their sender did not hold the Lease."""
    calls = [(call, operator) for operator in world.operators for call in operator.network.calls]
    holder, found = None, []
    for call, operator in sorted(calls, key=lambda pair: pair[0].time):
        if call.is_claim and call.status == 200:
            holder = operator
        elif call.is_write and not call.path.endswith("/events") and operator is not holder:
            found.append(call)
    return found


def runs_until_all_calls_were_met(scenario: Scenario, fault: Fault, most_strays: int) -> int:
    """Play the scenario once for each call of the leader, and say how often."""

    async def main(number: int) -> bool:
        world, leader = await led(scenario, at_call_about_runs(number, fault))
        assert len(strays(world)) <= most_strays, f"call {number}"
        return leader.kills > 0

    number = 0
    while virtual_time.run(main(number)):
        number += 1
    return number


@pytest.mark.parametrize("scenario", [RETRIED, SUSPENDED], ids=str)
def test_a_leader_that_is_killed_at_any_call_is_followed_by_the_other(scenario: Scenario) -> None:
    assert runs_until_all_calls_were_met(scenario, Fault.KILL_AFTER, most_strays=0) > 20


def test_of_a_leader_that_dies_while_any_call_is_under_way_at_most_that_one_comes_when_another_leads() -> None:
    assert runs_until_all_calls_were_met(RETRIED, Fault.KILL_DURING, most_strays=1) > 20


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST_REQUEST])
@pytest.mark.parametrize("begin", [2.0, 7.0, 34.0, 43.0])
def test_a_leader_that_is_cut_off_stops_before_the_other_begins(begin: float, fault: Fault) -> None:
    async def main() -> None:
        world, leader = await led(RETRIED, cut_off(begin, begin + 90.0, fault))
        other = world.operators[1]
        assert strays(world) == []
        assert leader.kills > 0
        taken = min(call.time for call in other.network.calls if call.is_claim and call.status == 200)
        assert begin < taken < begin + TAKEN_OVER

    virtual_time.run(main())


def test_an_undisturbed_leader_leads_to_the_end() -> None:
    async def main() -> None:
        world, leader = await led(RETRIED, lambda index, request: None)
        assert leader.kills == 0
        assert [call for call in world.operators[1].network.calls if call.is_claim or call.is_write] == []

    virtual_time.run(main())
