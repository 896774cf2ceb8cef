"""How many data nodes keep the trainers busy, from what a row costs and how fast trainers take rows. Pure.

A steady flow: what is between the two groups evens out what single tasks take longer. It knows nothing of how the
costs were found, nor how a forecast is shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

# What a data worker gets of its CPU for work that can be seen in a row's cost; the rest goes into handing it over.
EFFICIENCY = 0.97
# Windows of rows that are mixed as one: of each dataset one is being made, and one is being read.
_WINDOWS = 2
WINDOW_BYTES = 64 << 20
# Of each data worker: what it makes, and what it has made and nobody has taken yet.
_UNITS_PER_WORKER = 2
UNIT_BYTES = 16 << 20


@dataclass(frozen=True)
class Costs:
    """What one stored row costs. Seconds are of a data CPU, bytes those of a row in memory.

    `steps` are seconds by label, in order. `kept` is how many rows the steps make of one. `trainer_rate` is how many
    rows a second one trainer takes, None where it is not known.
    """

    read_seconds: float
    steps: dict[str, float]
    stored_bytes: float
    made_bytes: float
    kept: float = 1.0
    trainer_rate: float | None = None

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.read_seconds + sum(self.steps.values())

    @property
    def parts(self) -> dict[str, float]:
        """Seconds by what they go into, in order."""
        return {"reading": self.read_seconds, **self.steps}


@dataclass(frozen=True)
class Shape:
    """What the run asks for: how many trainers, data nodes, workers on each, and the bytes that these may hold.

    `max_workers` is the most of all nodes together, None without a limit; `rows` those of the dataset, if known;
    `target_stall_percent` how much of their time trainers may wait for data.
    """

    trainers: int
    data_nodes: int
    workers_per_node: int
    budget_bytes_per_node: int
    max_workers: int | None = None
    rows: int | None = None
    target_stall_percent: float = 5.0


@dataclass(frozen=True)
class Forecast:
    """See the module. Rates are rows a second of all trainers, as they are after the steps; None: not known.

    `nodes_wanted` is None too where no number of nodes would do, since the run limits its data workers.
    """

    costs: Costs
    shape: Shape
    rows_per_second_per_cpu: float
    rows_per_second_had: float
    rows_per_second_needed: float | None
    stall_percent: float | None
    cpus_wanted: int | None
    nodes_wanted: int | None
    epoch_seconds: float | None
    bytes_per_second: float
    held_bytes_per_node: int
    nodes_if_halved: dict[str, int] = field(default_factory=dict)


def forecast(costs: Costs, shape: Shape) -> Forecast:
    """The forecast for a run of this shape."""
    each = _rate_of_worker(costs)
    had = each * _workers(shape, shape.data_nodes)
    needed = None if costs.trainer_rate is None else costs.trainer_rate * shape.trainers
    pace = had if needed is None else min(had, needed)
    cpus = None if needed is None else _cpus_wanted(needed, each, shape)
    made = None if shape.rows is None else shape.rows * costs.kept
    return Forecast(
        costs=costs,
        shape=shape,
        rows_per_second_per_cpu=each,
        rows_per_second_had=had,
        rows_per_second_needed=needed,
        stall_percent=None if needed is None else 100 * (1 - pace / needed),
        cpus_wanted=cpus,
        nodes_wanted=_nodes_wanted(cpus, shape),
        epoch_seconds=None if made is None or needed is None else made / pace,
        bytes_per_second=pace * costs.made_bytes,
        held_bytes_per_node=_held(costs, shape),
        nodes_if_halved=_halved(costs, shape, needed),
    )


def _rate_of_worker(costs: Costs) -> float:
    return EFFICIENCY * costs.kept / costs.seconds


def _workers(shape: Shape, nodes: int) -> int:
    room = nodes * shape.workers_per_node
    return room if shape.max_workers is None else min(room, shape.max_workers)


def _cpus_wanted(needed: float, each: float, shape: Shape) -> int:
    """The fewest with which training waits less than it may."""
    return max(1, math.ceil(needed * (1 - shape.target_stall_percent / 100) / each))


def _nodes_wanted(cpus: int | None, shape: Shape) -> int | None:
    if cpus is None or (shape.max_workers is not None and cpus > shape.max_workers):
        return None
    return math.ceil(cpus / shape.workers_per_node)


def _held(costs: Costs, shape: Shape) -> int:
    """Bytes that each data node's object store has to hold at once, at most."""
    stored = costs.stored_bytes * (shape.rows if shape.rows is not None else math.inf)
    windows = min(_WINDOWS * WINDOW_BYTES, stored)
    made = min(UNIT_BYTES, WINDOW_BYTES * costs.made_bytes * costs.kept / costs.stored_bytes)
    return math.ceil(windows / shape.data_nodes + made * _UNITS_PER_WORKER * shape.workers_per_node)


def _halved(costs: Costs, shape: Shape, needed: float | None) -> dict[str, int]:
    """How many nodes would do if one part took half the time, by part; only of parts that would save a node."""
    if needed is None:
        return {}
    now = _nodes_wanted(_cpus_wanted(needed, _rate_of_worker(costs), shape), replace(shape, max_workers=None))
    found = {}
    for part, seconds in costs.parts.items():
        each = EFFICIENCY * costs.kept / (costs.seconds - seconds / 2)
        nodes = _nodes_wanted(_cpus_wanted(needed, each, shape), shape)
        if nodes is not None and now is not None and nodes < now:
            found[part] = nodes
    return found
