"""What happens to a run, and how it must end whatever else goes wrong."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kuberay import Ending, Script
from world import NAMESPACE, World

NAME = "digits"


async def _nothing(world: World) -> None:
    return


async def running(world: World) -> None:
    """Return when the first attempt trains, or has done so."""
    while not any(job["status"].get("jobStatus") for job in world.server.of("rayjobs")):  # noqa: ASYNC110
        await asyncio.sleep(1.0)


async def _suspend_and_resume(world: World) -> None:
    await running(world)
    world.edit(NAME, suspend=True)
    await asyncio.sleep(60.0)
    world.edit(NAME, suspend=False)


async def _delete_the_run(world: World) -> None:
    await running(world)
    world.server.delete("trainingruns", world.run(NAME))


async def _delete_the_job(world: World) -> None:
    await running(world)
    for job in list(world.server.of("rayjobs")):
        world.server.delete("rayjobs", job)


async def _take_the_name(world: World) -> None:
    """Somebody else's RayJob has the name of the second attempt, for a while."""
    await running(world)
    job = next(world.server.of("rayjobs"))
    first, spec = job["metadata"]["name"], json.dumps(job["spec"])
    labels = {"trainingrun.dev/run-name": "other", "trainingrun.dev/run-uid": "other", "trainingrun.dev/attempt": "0"}
    metadata = {"name": f"{first.removesuffix('0')}1", "labels": labels}
    body = {
        "kind": "RayJob",
        "metadata": metadata,
        "spec": json.loads(spec.replace(world.run(NAME)["metadata"]["uid"], "other")),
    }
    other = world.server.create("rayjobs", NAMESPACE, body)
    await asyncio.sleep(60.0)
    world.server.delete("rayjobs", other)


async def _lose_the_head(world: World) -> None:
    await running(world)
    # Whatever goes wrong with one look, the operator has seen the first head by then.
    await asyncio.sleep(60.0)
    await world.kuberay.lose_head(NAME)


@dataclass(frozen=True)
class Scenario:
    """`attempts` are (index, outcome, class) at the end, `true` the conditions that hold then."""

    name: str
    script: Script
    attempts: list[tuple[int, str, str | None]]
    true: tuple[str, ...]
    act: Callable[[World], Awaitable[None]] = _nothing
    is_deleted: bool = False
    head_restarts: int = 0
    # Longer than any pause that belongs to the scenario.
    quiet: float = 60.0
    # What a fault may add to such a pause.
    patience: float = 0.0
    # How long there is to be seen what the story is about: to an operator that sees nothing for longer, it is another.
    lasts: float = math.inf

    def __str__(self) -> str:
        return self.name


def _exit_codes(*codes: int | None) -> Script:
    """The exit code of each attempt after 30 s; None runs for ever."""

    def ending(name: str, attempt: int) -> Ending:
        code = codes[attempt] if name == NAME else 0
        return Ending(None) if code is None else Ending(30.0, code)

    return ending


RETRIED = Scenario(
    "retried", _exit_codes(14, 0), [(0, "Failed", "Infrastructure"), (1, "Complete", None)], ("Accepted", "Complete")
)
COMPLETE = Scenario("complete", _exit_codes(0), [(0, "Complete", None)], ("Accepted", "Complete"))
USER_ERROR = Scenario(
    "user-error",
    _exit_codes(13),
    [(0, "Failed", "UserError")],
    ("Accepted", "Failed", "Stalled"),
    # The cluster of a run that failed stays for ten minutes.
    quiet=660.0,
)
SUSPENDED = Scenario(
    "suspended",
    _exit_codes(None, 0),
    [(0, "Suspended", None), (1, "Complete", None)],
    ("Accepted", "Complete"),
    _suspend_and_resume,
    lasts=60.0,
)
JOB_DELETED = Scenario(
    "job-deleted",
    _exit_codes(None, 0),
    [(0, "Failed", "Infrastructure"), (1, "Complete", None)],
    ("Accepted", "Complete"),
    _delete_the_job,
    lasts=0.0,
)
NAME_TAKEN = Scenario(
    "name-taken",
    _exit_codes(14, 0),
    [(0, "Failed", "Infrastructure"), (1, "Complete", None)],
    ("Accepted", "Complete"),
    _take_the_name,
    # A refusal is asked again after as long as it has lasted already.
    quiet=300.0,
    patience=120.0,
)
HEAD_LOST = Scenario(
    "head-lost",
    lambda name, attempt: Ending(200.0),
    [(0, "Complete", None)],
    ("Accepted", "Complete"),
    _lose_the_head,
    head_restarts=1,
    lasts=60.0,
    # Training goes on for so long after the head is back.
    quiet=240.0,
)
RUN_DELETED = Scenario("run-deleted", _exit_codes(None), [], (), _delete_the_run, is_deleted=True)

ALL = (RETRIED, COMPLETE, USER_ERROR, SUSPENDED, JOB_DELETED, NAME_TAKEN, HEAD_LOST, RUN_DELETED)
