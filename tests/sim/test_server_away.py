"""The API server is away for seconds, minutes or half an hour: training goes on, and so does the operator after it."""

from __future__ import annotations

import asyncio

import pytest
import virtual_time
from network import Fault
from oracle import check, check_pace, play
from scenarios import RETRIED, RUN_DELETED, Scenario
from world import World

from trainingrun.engine.queue import LONGEST_PAUSE
from trainingrun.kube.transport import Request


@pytest.mark.parametrize("scenario", [RETRIED, RUN_DELETED], ids=str)
@pytest.mark.parametrize("seconds", [10.0, 120.0, 1800.0])
@pytest.mark.parametrize("begin", [0.0, 0.05, 3.0, 30.0, 41.0])
def test_an_operator_whose_api_server_is_away_waits_and_goes_on(
    begin: float, seconds: float, scenario: Scenario
) -> None:
    def plan(index: int, request: Request) -> Fault | None:
        return Fault.REFUSED if begin <= asyncio.get_running_loop().time() < begin + seconds else None

    async def main() -> None:
        world = World(scenario.script)
        operator = world.add_operator(plan)
        result = await play(scenario, world, quiet=seconds + LONGEST_PAUSE + 60.0)
        check(scenario, world)
        assert operator.kills == 0
        check_pace(result.calls, begin, begin + seconds)
        assert result.last_write < begin + seconds + LONGEST_PAUSE + 180.0

    virtual_time.run(main())
