"""A fault at every single call that the operator makes, one after the other.

TRAININGRUN_LONG_TESTS=1 tries every fault in every scenario; else answers, which are judged in one place, are tried at
every third call of one scenario.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import virtual_time
from network import Call, Fault, Plan
from oracle import Played, check, check_pace, clock, play
from scenarios import ALL, RETRIED, Scenario
from world import World

from trainingrun.engine.queue import LONGEST_PAUSE
from trainingrun.kube.transport import Request

IS_LONG = bool(os.environ.get("TRAININGRUN_LONG_TESTS"))
# Those that leave the cluster and the operator's view of it apart.
_TEARING = (Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.KILL_DURING, Fault.LOST_ANSWER, Fault.LATE)
_PERSISTENT = (Fault.LOST_REQUEST, Fault.TOO_MANY, Fault.UNAVAILABLE)
WHILE_SECONDS = 120.0
# How long the operator waits for an answer to a request that is lost.
LOST_SECONDS = 30.0
ONCE = [
    (scenario, fault)
    for scenario in ALL
    for fault in Fault
    if (IS_LONG or scenario is RETRIED or fault in (Fault.KILL_AFTER, Fault.LATE))
    and not (fault is Fault.LOST_REQUEST and scenario.lasts < LOST_SECONDS)
]
FOR_A_WHILE = [
    (scenario, fault)
    for scenario in ALL
    for fault in Fault
    if fault not in _TEARING
    and scenario.lasts > WHILE_SECONDS
    and (IS_LONG or (scenario is RETRIED and fault in _PERSISTENT))
]
# That, and a refusal is tried again after 15 s, a failure after 0.5 s and more.
HEALED_SECONDS = 60.0


def played(scenario: Scenario, plan: Plan, quiet: float = 0.0) -> Played:
    async def main() -> Played:
        world = World(scenario.script)
        world.add_operator(plan)
        result = await play(scenario, world, quiet)
        check(scenario, world)
        return result

    return virtual_time.run(main())


def undisturbed(scenario: Scenario) -> Played:
    return played(scenario, lambda index, request: None)


def at_call(number: int, fault: Fault) -> Plan:
    return lambda index, request: fault if index == number else None


def from_call(number: int, fault: Fault, seconds: float, begun: list[float]) -> Plan:
    """The fault at every call from this one on, for so long. `begun` gets the time of the first."""

    def plan(index: int, request: Request) -> Fault | None:
        if index >= number and not begun:
            begun.append(clock())
        return fault if begun and clock() < begun[0] + seconds else None

    return plan


def each_call(calls: list[Call], fault: Fault) -> range:
    """The calls at which the fault is tried; not the same for every fault."""
    is_everywhere = IS_LONG or fault in _TEARING
    return range(len(calls)) if is_everywhere else range(list(Fault).index(fault) % 3, len(calls), 3)


@pytest.mark.parametrize(("scenario", "fault"), ONCE, ids=lambda value: getattr(value, "name", None))
def test_a_fault_at_any_call_changes_nothing_of_the_end(
    scenario: Scenario, fault: Fault, record_points: Callable[[int], None]
) -> None:
    baseline = undisturbed(scenario)
    points = each_call(baseline.calls, fault)
    record_points(len(points))
    for number in points:
        result = played(scenario, at_call(number, fault))
        healed = HEALED_SECONDS + scenario.patience
        assert result.last_write < baseline.last_write + healed, f"call {number}"


@pytest.mark.parametrize(("scenario", "fault"), FOR_A_WHILE, ids=lambda value: getattr(value, "name", None))
def test_faults_for_two_minutes_from_any_call_on_heal_without_a_storm(
    scenario: Scenario, fault: Fault, record_points: Callable[[int], None]
) -> None:
    baseline = undisturbed(scenario)
    points = each_call(baseline.calls, fault)
    record_points(len(points))
    for number in points:
        begun: list[float] = []
        result = played(scenario, from_call(number, fault, WHILE_SECONDS, begun), quiet=LONGEST_PAUSE + WHILE_SECONDS)
        assert begun
        check_pace(result.calls, begun[0], begun[0] + WHILE_SECONDS)
        assert result.last_write < baseline.last_write + 3 * WHILE_SECONDS, f"from call {number}"


def test_what_is_broken_on_purpose_is_noticed() -> None:
    """The oracle fails for a run that is not at its end."""

    async def main() -> None:
        world = World(RETRIED.script)
        world.add_operator(lambda index, request: Fault.INTERNAL if request.method == "POST" else None)
        world.submit("digits")
        await world.settle(limit=600.0, quiet=30.0)
        check(RETRIED, world)

    with pytest.raises(AssertionError):
        virtual_time.run(main())
