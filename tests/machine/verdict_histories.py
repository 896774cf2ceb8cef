"""Plays histories of verdicts, one by one for hypothesis, or very many from a seed.

A walk tries every beginning of a history as a history of its own: the world is copied before it is settled, so that
what two histories share is played once. It must find the same as `play` does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from functools import cache

from verdict_events import EVENTS, VARIANTS
from verdict_world import World

LENGTH = 8
# Share of the runs whose attempt trains already.
TRAINING = 0.7
History = list[tuple[int, int]]


def play(history: History, *, is_training: bool = True) -> World:
    """Let it happen to an attempt that trains or starts, look after each event and when one is due, and settle it."""
    world = _begun(is_training).copy()
    for number, variant in history:
        if not _goes_on(world, number, variant):
            return world
    _settle(world)
    return world


def walk(seed: int) -> int:
    """Play every beginning of one random history, and say how many that were. Its longest ends when the run does."""
    choose = random.Random(seed)
    is_training = choose.random() < TRAINING
    world, history = _begun(is_training).copy(), History()
    try:
        for step in _steps(choose):
            history.append(step)
            if not _goes_on(world, *step):
                break
            _settle(world.copy())
    except AssertionError as error:
        found = shrunk(history, is_training=is_training)
        raise AssertionError(f"seed {seed}: play({found}, is_training={is_training})") from error
    return len(history)


def shrunk(history: History, *, is_training: bool) -> History:
    """The history without the events that it fails without, too."""
    for index in range(len(history)):
        less = history[:index] + history[index + 1 :]
        if _fails(less, is_training):
            return shrunk(less, is_training=is_training)
    return history


def _steps(choose: random.Random) -> Iterator[tuple[int, int]]:
    for _ in range(LENGTH):
        yield choose.randrange(len(EVENTS)), choose.randrange(VARIANTS)


@cache
def _begun(is_training: bool) -> World:
    return World(is_training=is_training)


def _goes_on(world: World, number: int, variant: int) -> bool:
    """Let it happen, and look; False when the attempt is over."""
    EVENTS[number](world, variant)
    due = world.look()
    world.check()
    if world.is_over:
        return False
    world.time += timedelta(seconds=1)
    if due is not None and due <= world.time:
        world.look()
        world.check()
    return True


def _settle(world: World) -> None:
    """Look whenever a look is due, until nothing is for minutes."""
    for _ in range(6):
        due = world.look()
        world.check()
        if world.is_over or due is None or due - world.time > timedelta(minutes=6):
            break
        world.time = max(due, world.time)


def _fails(history: History, is_training: bool) -> bool:
    try:
        play(history, is_training=is_training)
    except AssertionError:
        return True
    return False
