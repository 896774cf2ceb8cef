"""A data group and trainers as a queue, event by event: what a forecast must agree with."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """`seconds` a row costs a data CPU, `needed` rows are taken a second, and how uneven the time of units is."""

    seconds: float
    needed: float
    cpus_per_node: int
    unevenness: float  # of a unit's time: the standard deviation of its logarithm


_UNIT_SECONDS = 0.4
_HANDLING_SECONDS = 0.006  # a worker's, between two units
_STEPS = 600
_STEP_SECONDS = 0.25
_BUFFER_SECONDS = 4.0  # of work of all workers that may lie finished


def stall_percent(load: Load, nodes: int, seed: int = 0) -> float:
    """How long steps wait for rows, in the order of units, in a run of some minutes after its first step."""
    generator = random.Random(seed)
    workers = nodes * load.cpus_per_node
    unit_rows = _UNIT_SECONDS / load.seconds
    step_rows = load.needed * _STEP_SECONDS
    room = workers * _BUFFER_SECONDS / _UNIT_SECONDS
    free = [0.0] * workers
    made: list[float] = []
    taken = 0
    here, clock, waited, started = 0.0, 0.0, 0.0, 0.0
    for step in range(_STEPS):
        while here < step_rows:
            while len(made) < taken + room:
                begun = max(heapq.heappop(free), clock if len(made) >= taken + room - 1 else 0.0)
                # The mean is a unit's due time, whatever the unevenness.
                factor = generator.lognormvariate(-(load.unevenness**2) / 2, load.unevenness)
                ended = begun + _UNIT_SECONDS * factor + _HANDLING_SECONDS
                heapq.heappush(free, ended)
                made.append(ended)
            arrival = made[taken]
            taken += 1
            here += unit_rows
            if arrival > clock:
                waited += (arrival - clock) if step else 0.0
                clock = arrival
        if step == 0:
            started = clock
        here -= step_rows
        clock += _STEP_SECONDS
    return 100 * waited / (clock - started)


def nodes_wanted(load: Load, most_percent: float) -> int:
    """The fewest nodes with which steps wait no longer than that."""
    nodes = 1
    while stall_percent(load, nodes) > most_percent:
        nodes += 1
    return nodes
