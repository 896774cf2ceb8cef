"""The words that the schedule of the pool, its dispatcher and its workers speak: passes, tasks, reports, answers.

Values only; decides nothing. No Ray, no I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from trainingrun_trainer.data.bad_rows import BadRow
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.row_advice import RowSample
from trainingrun_trainer.data.slabs import Bundle, SlabReport

# A task's id is also its object's: what the task returns is known by it until `freed` names it. Never used twice.
TaskId: TypeAlias = int
# (g, k): the k-th slabs of all bundles of the g-th group of a pass.
WindowId: TypeAlias = tuple[int, int]


@dataclass(frozen=True, order=True)
class PassKey:
    """One going through a dataset: `number` counts those of `dataset` in a generation of ranks, from 0."""

    generation: int
    dataset: str
    number: int

    def follows(self, other: PassKey) -> bool:
        """Whether `other` is over when this one begins."""
        is_earlier = other.dataset == self.dataset and other.number < self.number
        return other.generation < self.generation or (other.generation == self.generation and is_earlier)


@dataclass(frozen=True)
class PassPlan:
    """What a pass reads, in its order, and for how many ranks.

    `slab_bytes` is what a slab of it may have, `consumed` the account of rows to leave out in bytes (none if empty),
    `is_prepared` whether slabs go through the prepare stage, and `is_kept` whether made units are kept for the next
    pass with an equal plan, where they fit.
    """

    epoch: Epoch
    groups: tuple[tuple[Bundle, ...], ...]
    slab_bytes: int
    world_size: int
    consumed: bytes = b""
    is_kept: bool = False
    is_prepared: bool = False


@dataclass(frozen=True)
class ReadTask:
    """Read one slab of a bundle. Its report is a SlabReport."""

    key: PassKey
    bundle: Bundle
    slab: int
    slab_bytes: int


@dataclass(frozen=True)
class PrepareTask:
    """Put the slab that task `input` has read through the deterministic steps. Its report is a SlabReport."""

    key: PassKey
    bundle: Bundle
    slab: int
    input: TaskId


@dataclass(frozen=True)
class MakeTask:
    """Make one unit: the rows at `positions` of the window's permutation, transformed. Its report is a UnitReport.

    `inputs` are the window's slabs in the order of the group's bundles; those that hold no rows are left out.
    `number` counts the units of `rank` in the pass, from 0.
    """

    key: PassKey
    epoch: Epoch
    window: WindowId
    rank: int
    number: int
    positions: range
    inputs: tuple[TaskId, ...]


Task: TypeAlias = ReadTask | PrepareTask | MakeTask


def inputs_of(task: Task) -> set[TaskId]:
    """The tasks whose results it needs."""
    if isinstance(task, MakeTask):
        return set(task.inputs)
    return {task.input} if isinstance(task, PrepareTask) else set()


@dataclass(frozen=True)
class Assignment:
    """Send `task` to `worker`."""

    task_id: TaskId
    task: Task
    worker: str


@dataclass(frozen=True)
class UnitReport:
    """What a make task has done. `seconds` are those of the whole task, `seconds_by_step` those of the author's.

    `sample` is there once, from a worker that was asked for one.
    """

    rows_in: int
    rows_out: int
    size_bytes: int
    seconds: float
    seconds_by_step: Mapping[str, float] = field(default_factory=dict)
    bad_rows: tuple[BadRow, ...] = ()
    sample: RowSample | None = None


@dataclass(frozen=True)
class PreparedReport:
    """What has come of a slab in its prepared form, from the cache or by a prepare task.

    `bad_rows` were left out of it; `notices` are sentences of the cache that a user should read.
    """

    slab: SlabReport
    bad_rows: tuple[BadRow, ...] = ()
    notices: tuple[str, ...] = ()


class Lost(enum.Enum):
    """Why a task has no result though nothing is wrong with it."""

    WORKER = "Worker"
    INPUT = "Input"


@dataclass(frozen=True)
class ReadyUnit:
    """A unit that a rank can fetch: the object of task `task_id`. `number` is its place in the rank's order."""

    number: int
    task_id: TaskId


@dataclass(frozen=True)
class Ready:
    """Units that were not given to the rank before, by ascending number; never none."""

    units: tuple[ReadyUnit, ...]


@dataclass(frozen=True)
class Ended:
    """The rank has taken all its units of the pass, or the pass is one that is over."""


@dataclass(frozen=True)
class Failed:
    """The rank has been given all units before the one that cannot be made, for this reason."""

    error: Exception


@dataclass(frozen=True)
class Waiting:
    """Nothing new for the rank yet, or the pass has not begun."""


@dataclass(frozen=True)
class Given:
    """What the hub answers to a rank that asks for rows.

    `units` are numbers and references to tables, in order, and `has_ended` says that there are no more in this pass.
    `error` is raised after them. Nothing at all: ask again.
    """

    units: tuple[tuple[int, Any], ...] = ()
    has_ended: bool = False
    error: Exception | None = None


Answer: TypeAlias = Ready | Ended | Failed | Waiting
