"""Waiting for a run, and what its end means for a program's exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from trainingrun.client.problems import INVALID_FILE, OUT_OF_TIME, RUN_FAILED, RUN_SUSPENDED, ClusterError
from trainingrun.contract.exits import exit_of
from trainingrun.contract.failure_class import FailureClass

if TYPE_CHECKING:
    from trainingrun.client.session import Session
    from trainingrun.status_page import RunView

# (exit code, sentence)
Outcome = tuple[int, str]
DELETED = "deleted"


def outcome_of(view: RunView) -> Outcome | None:
    """How the run ended, or that it is suspended; None while it is in progress or its status is stale."""
    if not view.is_seen:
        return None
    for condition, code in (("Complete", 0), ("Failed", _failed(view)), ("Suspended", RUN_SUSPENDED)):
        if view.holds(condition):
            return code, _sentence(view, condition)
    return (INVALID_FILE, _sentence(view, "Accepted", "Invalid")) if view.state == "Invalid" else None


def _failed(view: RunView) -> int:
    failed = view.condition("Failed")
    failure = FailureClass.of(failed.reason if failed else None)
    return exit_of(failure) if failure else RUN_FAILED


def _sentence(view: RunView, condition: str, word: str = "") -> str:
    held = view.conditions[condition] if condition in view.conditions else None
    reason = f" ({held.reason})" if held and condition == "Failed" else ""
    words = f": {held.words}" if held and held.words else ""
    return f"{view.name} {word or condition}{reason}{words}"


async def wait_for(
    session: Session,
    name: str,
    condition: str | None,
    seconds: float | None,
    tell: Callable[[str], None],
) -> Outcome:
    """Wait until the condition holds, or without one until the run has ended or is suspended; report new states.

    A run that ends first ends the wait, with the exit code 1 even where it is complete.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _wait_for(session, name, condition, tell)
    except TimeoutError:
        goal = "its end" if condition is None else condition
        return OUT_OF_TIME, f"{name}: timed out while waiting for {goal}"


async def _wait_for(session: Session, name: str, condition: str | None, tell: Callable[[str], None]) -> Outcome:
    from trainingrun.status_page import run_view_of

    state = ""
    async for body in session.versions(name):
        if body is None:
            if condition == DELETED:
                return 0, f"{name} deleted"
            raise ClusterError(f"{name} was deleted during the wait.")
        view = run_view_of(body)
        if condition is not None and view.is_seen and view.holds(condition):
            return 0, _sentence(view, condition)
        ended = outcome_of(view)
        if ended is not None and condition is None:
            return ended
        if ended is not None and condition != DELETED and not _may_resume(ended):
            return RUN_FAILED, f"{ended[1]}; condition {condition} can no longer become true"
        if view.state != state:
            state = view.state
            tell(f"{name} {state}")
    raise AssertionError("unreachable: versions end with None")


def _may_resume(ended: Outcome) -> bool:
    return ended[0] == RUN_SUSPENDED
