"""One run never makes another one wait, and nothing is asked for when nothing has changed."""

from __future__ import annotations

import asyncio
import statistics

import pytest
import virtual_time
from kuberay import Ending
from network import Fault, Plan, no_faults
from oracle import check_pace, clock
from world import SETTINGS, World

from trainingrun.engine import reconcile
from trainingrun.engine.queue import LONGEST_PAUSE
from trainingrun.kube.resources import RUNTIMES, WATCHED

POISON = "poison"
RUNS = 40


def failing_for_poison(fault: Fault) -> Plan:
    return lambda index, request: fault if f"/{POISON}/" in request.path else None


async def latencies(plan: Plan, *, poisons: int) -> list[float]:
    """Seconds from submission to the RayJob of each healthy run, submitted one after the other over two minutes."""
    world = World(lambda name, attempt: Ending(None))
    world.add_operator(plan)
    born: dict[str, float] = {}
    world.server.listeners.append(
        lambda change, plural, body: (
            born.setdefault(body["metadata"]["labels"]["trainingrun.dev/run-name"], clock())
            if plural == "rayjobs"
            else None
        )
    )
    for number in range(poisons):
        world.submit(POISON if number == 0 else f"{POISON}-{number}")
    submitted: dict[str, float] = {}
    for number in range(RUNS):
        await asyncio.sleep(3.0)
        submitted[f"run-{number}"] = clock()
        world.submit(f"run-{number}")
    await asyncio.sleep(30.0)
    return [born[name] - submitted[name] for name in submitted]


@pytest.mark.parametrize("fault", [Fault.INTERNAL, Fault.LOST_REQUEST, Fault.INVALID])
def test_a_run_that_always_fails_delays_no_other(fault: Fault) -> None:
    alone = virtual_time.run(latencies(no_faults, poisons=0))
    beside = virtual_time.run(latencies(failing_for_poison(fault), poisons=1))
    assert max(beside) <= 1.05 * max(alone)
    assert statistics.median(beside) <= 1.05 * statistics.median(alone)


def test_a_bug_in_one_run_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real = reconcile.decide

    def raising(run, observed, now):  # type: ignore[no-untyped-def]
        if run.name == POISON:
            raise ZeroDivisionError("a bug")
        return real(run, observed, now)

    alone = virtual_time.run(latencies(no_faults, poisons=0))
    monkeypatch.setattr(reconcile, "decide", raising)
    beside = virtual_time.run(latencies(no_faults, poisons=1))
    assert max(beside) <= 1.05 * max(alone)


def test_a_run_that_always_fails_is_tried_ever_more_seldom() -> None:
    async def main() -> None:
        world = World()
        operator = world.add_operator(failing_for_poison(Fault.INTERNAL))
        world.submit(POISON)
        await asyncio.sleep(3600.0)
        own = [call for call in operator.network.calls if f"/{POISON}/" in call.path]
        check_pace(own, 0.0, 60.0, most_per_second=0.2)
        check_pace(own, 1800.0, 3600.0, most_per_second=1.2 / LONGEST_PAUSE)
        assert len(own) > 10

    virtual_time.run(main())


def test_a_restart_without_a_change_writes_nothing() -> None:
    async def main() -> None:
        world = World(lambda name, attempt: Ending(None if name.endswith("1") else 20.0, 13 if "3" in name else 0))
        first = world.add_operator()
        for number in range(60):
            world.submit(f"run-{number}")
        world.submit("invalid", image="")
        await asyncio.sleep(1200.0)
        first.stop()
        second = world.add_operator()
        await asyncio.sleep(1800.0)
        assert [call for call in second.network.calls if call.is_write] == []
        # Nor does it ask for anything but the lists.
        lists = {resource.plural for resource in (*WATCHED, *RUNTIMES)}
        assert {call.path.rsplit("/", 1)[-1] for call in second.network.calls} <= lists
        states = {run["status"]["state"] for run in world.server.of("trainingruns")}
        assert states == {"Running", "Complete", "Failed", "Invalid"}

    virtual_time.run(main())


def test_many_runs_at_once_all_get_their_job_with_few_writes_under_way() -> None:
    async def main() -> None:
        world = World(lambda name, attempt: Ending(None))
        operator = world.add_operator()
        for number in range(100):
            world.submit(f"run-{number}")
        await asyncio.sleep(5.0)
        assert len(world.created) == 100
        assert 1 < operator.network.most_writes <= SETTINGS.max_writes

    virtual_time.run(main())
