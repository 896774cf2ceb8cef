"""What stands for the tables that data workers make, and the calls that need them.

Holds references and never fetches a table. When one is let go is the schedule's to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.slabs import SlabReport
from trainingrun_trainer.pool.pass_plans import Dataset
from trainingrun_trainer.pool.tasks import Assignment, MakeTask, PassKey, PrepareTask, ReadTask, Task, TaskId


class References:
    """See the module. `accounts` says of each pass which rows were consumed before it began.

    `made` has the node of each unit that was made, and how many rows went into it.
    """

    def __init__(self, datasets: Mapping[str, Dataset]):
        self.accounts: dict[PassKey, Consumed] = {}
        self.tables: dict[TaskId, Any] = {}
        self.slabs: dict[TaskId, SlabReport] = {}
        self.made: dict[TaskId, tuple[str, int]] = {}
        self._datasets = datasets

    def call(self, do: Callable[..., tuple[Any, Any]], assignment: Assignment) -> Any:
        """Have a task done by `do`, which takes the name of a data worker's method and its arguments.

        Returns what stands for the task's report; what stands for its table is kept.
        """
        report, self.tables[assignment.task_id] = do(*self._call(assignment.task))
        return report

    def let_go(self, task_ids: Iterable[TaskId]) -> None:
        """Nobody needs what these tasks made."""
        for task_id in task_ids:
            self.tables.pop(task_id, None)
            self.slabs.pop(task_id, None)
            self.made.pop(task_id, None)

    def lost_inputs(self, task: Task, gone: Collection[str]) -> list[TaskId]:
        """Which of a task's inputs are among the objects that are `gone`, told by their ids in hex."""
        inputs = task.inputs if isinstance(task, MakeTask) else ()
        return [each for each in inputs if each in self.tables and self.tables[each].hex() in gone]

    def forget(self, is_over: Callable[[PassKey], bool]) -> None:
        """Passes are over."""
        for account in [account for account in self.accounts if is_over(account)]:
            del self.accounts[account]

    def _call(self, task: Task) -> tuple[Any, ...]:
        if isinstance(task, ReadTask):
            # Of a pass that is over, nobody minds which rows are left out.
            used = self.accounts.get(task.key, Consumed()).of(task.bundle.pieces)
            return "read", task.key.dataset, task.bundle, task.slab, task.slab_bytes, used
        if isinstance(task, PrepareTask):
            slab_bytes = self._datasets[task.key.dataset].mixing.slab_bytes
            read, rows = self.slabs[task.input], self.tables[task.input]
            return "prepare", task.key.dataset, task.bundle, task.slab, slab_bytes, read, rows
        slabs = [self.tables[input_id] for input_id in task.inputs]
        return "make", task.key.dataset, task.window, task.epoch, task.positions, *slabs
