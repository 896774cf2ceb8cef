"""What a pool of data workers is at: its schedule, the tables that tasks have made, and the count of rows left out.

Who does the tasks and how ranks wait is not its affair: other processes in `dispatcher`, and in `own_process` the one
that trains. Tables are whatever stands for them there; they are never looked into. No Ray, and time is an argument.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import SlabReport
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.pool.pass_plans import Pool, plan_of
from trainingrun_trainer.pool.references import References
from trainingrun_trainer.pool.schedule import Schedule
from trainingrun_trainer.pool.tally import Tallies
from trainingrun_trainer.pool.tasks import (
    Assignment,
    Ended,
    Failed,
    Given,
    PassKey,
    PassPlan,
    PreparedReport,
    ReadTask,
    Ready,
    TaskId,
    UnitReport,
)

Report: TypeAlias = SlabReport | PreparedReport | UnitReport


class Ledger:
    """See the module. `rows_by_node` says where the rows that ranks have taken were made.

    `notify` is told, with the level of a Notice, what a user should know. Tables may take `budget_bytes` until the
    schedule is told of nodes.
    """

    def __init__(self, pool: Pool, notify: Callable[[str, str], None], budget_bytes: int = 0):
        self.rows_by_node: Counter[str] = Counter()
        self.schedule = Schedule(budget_bytes, has_kept=any(each.is_kept for each in pool.datasets.values()))
        self.references = References(pool.datasets)
        self._pool = pool
        self._tallies = Tallies(pool.datasets, notify)
        self._given: dict[tuple[PassKey, int, int], TaskId] = {}

    def begin(self, key: PassKey, epoch: Epoch, consumed: bytes, now: float) -> None:
        """Ranks begin with a pass over the rows that are not `consumed`, an account in bytes, or empty for none."""
        self._tallies.begin(key, self.schedule.begin(key, self._planned(key, epoch, consumed), now))
        # What belongs to passes that are over with this one's begin.
        is_over = key.follows
        for given in [given for given in self._given if is_over(given[0])]:
            del self._given[given]
        self.references.forget(is_over)
        self._tallies.forget(is_over)

    @property
    def cache_word(self) -> str | None:
        """What of the newest training pass was in the cache: see Tallies."""
        return self._tallies.cache_word

    def prepare_ahead(self, key: PassKey, epoch: Epoch) -> None:
        """A whole pass is likely to begin."""
        self.schedule.prepare_ahead(key, self._planned(key, epoch, b""))

    def done(self, assignment: Assignment, report: Report, node: str, now: float) -> None:
        """A task has ended well, on `node`."""
        task_id, task = assignment.task_id, assignment.task
        try:
            self._tallies.count(task, report)
        except DataError as error:
            self.failed(task_id, error, now)
            return
        if isinstance(report, PreparedReport):
            self.schedule.done(task_id, report.slab, now, is_prepared=isinstance(task, ReadTask))
            return
        if isinstance(report, UnitReport):
            self.references.made[task_id] = (node, report.rows_in)
        else:
            self.references.slabs[task_id] = report
        self.schedule.done(task_id, report, now)

    def failed(self, task_id: TaskId, error: Exception, now: float) -> None:
        """A task has raised."""
        self.references.tables.pop(task_id, None)
        self.schedule.failed(task_id, error, now)

    def answer(self, key: PassKey, rank: int) -> Given | None:
        """What there is of a pass for a rank and was not given before; None if that is nothing yet."""
        found = self.schedule.ready(key, rank)
        if isinstance(found, Ready):
            for unit in found.units:
                self._given[key, rank, unit.number] = unit.task_id
            return Given(units=tuple((unit.number, self.references.tables[unit.task_id]) for unit in found.units))
        if isinstance(found, Failed):
            return Given(error=found.error)
        if not isinstance(found, Ended):
            return None
        try:
            self._tallies.end(key)
        except DataError as error:
            return Given(error=error)
        return Given(has_ended=True)

    def took(self, key: PassKey, rank: int, number: int) -> None:
        """A rank has the rows of a unit."""
        task_id = self._given.pop((key, rank, number), None)
        if task_id is not None:
            node, rows = self.references.made.get(task_id, ("", 0))
            self.rows_by_node[node] += rows
        self.schedule.took(key, rank, number)

    def let_go(self) -> None:
        """Forget the tables that nobody needs any more."""
        self.references.let_go(self.schedule.freed())

    def _planned(self, key: PassKey, epoch: Epoch, consumed: bytes) -> PassPlan:
        used = Consumed.from_bytes(consumed) if consumed else Consumed()
        self.references.accounts[key] = used
        self._tallies.prepare(key, used.rows())
        return plan_of(self._pool.datasets[key.dataset], epoch, consumed, used, self._pool.world_size)
