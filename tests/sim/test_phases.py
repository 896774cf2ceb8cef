"""A person changes or deletes a run at any moment of its life."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import virtual_time
from kuberay import Ending
from oracle import check_safety
from scenarios import NAME
from world import NAMESPACE, World

# Before, at and after every turn of a run whose first attempt fails after about 35 s and whose second succeeds.
MOMENTS = (
    *(0.0, 0.03, 0.06, 0.1, 0.15, 0.3, 1.0, 3.0, 5.3, 6.0, 20.0),
    *(35.3, 35.35, 36.0, 37.0, 39.0, 41.0, 44.0, 46.0, 47.0, 60.0, 81.5, 90.0),
)


def lived(moment: float, act: Callable[[World], Any]) -> World:
    """A world in which the act was done at the moment, and everything has come to its end since."""

    async def main() -> World:
        world = World(lambda name, attempt: Ending(30.0, 14 if attempt == 0 else 0))
        world.add_operator()
        world.submit(NAME)
        await asyncio.sleep(moment)
        done = act(world)
        if asyncio.iscoroutine(done):
            await done
        await world.settle(quiet=90.0)
        return world

    return virtual_time.run(main())


def check_complete(world: World) -> None:
    """The run is at its good end, its status is about its newest generation, and only its own last RayJob is left."""
    run = world.run(NAME)
    assert world.condition(NAME, "Complete") == "True"
    generations = {entry["observedGeneration"] for entry in run["status"]["conditions"]}
    assert generations == {run["status"]["observedGeneration"]} == {run["metadata"]["generation"]}
    jobs = list(world.server.of("rayjobs"))
    assert [job["metadata"]["uid"] for job in jobs] == [run["status"]["attempts"][-1]["rayJobUID"]]
    assert [job["metadata"]["ownerReferences"][0]["uid"] for job in jobs] == [run["metadata"]["uid"]]
    assert world.names("rayclusters") == world.names("pods") == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_suspended_at_any_moment_rests_and_then_goes_on(moment: float) -> None:
    async def suspend_and_resume(world: World) -> None:
        is_over = world.condition(NAME, "Complete") == "True"
        world.edit(NAME, suspend=True)
        await asyncio.sleep(60.0)
        assert is_over or world.condition(NAME, "Suspended") == "True"
        assert world.names("pods") == []
        world.edit(NAME, suspend=False)

    world = lived(moment, suspend_and_resume)
    check_safety(world)
    check_complete(world)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_edited_at_any_moment_reaches_its_end(moment: float) -> None:
    world = lived(moment, lambda world: world.edit(NAME, image="trainer:2"))
    check_safety(world)
    check_complete(world)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_deleted_at_any_moment_leaves_nothing(moment: float) -> None:
    world = lived(moment, lambda world: world.server.delete("trainingruns", world.run(NAME)))
    check_safety(world)
    assert [world.names(plural) for plural in ("trainingruns", "rayjobs", "rayclusters", "pods")] == [[]] * 4


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_made_anew_by_the_same_name_adopts_nothing_of_the_old_one(moment: float) -> None:
    def again(world: World) -> None:
        world.server.delete("trainingruns", world.server.objects["trainingruns", NAMESPACE, NAME])
        world.submit(NAME)

    world = lived(moment, again)
    assert world.overlaps == []
    assert world.attempts(NAME) == [(0, "Failed", "Infrastructure"), (1, "Complete", None)]
    check_complete(world)
