"""The pool without data workers: the process that trains makes its own rows, when it needs them, in its own thread.

For a debugger: the author's functions are called where its terminal is. The order of rows is the schedule's, as it is
with any number of workers, and what draws random numbers for rows leaves those of training alone. It must not make
anything ahead, nor change what is made.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.failures.quitting import has_quit
from trainingrun_trainer.pool.ledger import Ledger
from trainingrun_trainer.pool.making import Maker
from trainingrun_trainer.pool.pass_plans import Pool
from trainingrun_trainer.pool.tasks import Assignment, PassKey
from trainingrun_trainer.seeding import generators_kept

# The name of this process where a data worker's node would be named.
HERE = "this process"


class OwnRows:
    """All passes of the only rank, over the datasets of `pool`. `notify` and `budget_bytes` are as a Ledger's."""

    def __init__(self, pool: Pool, notify: Callable[[str, str], None], budget_bytes: int):
        self._ledger = Ledger(pool, notify, budget_bytes)
        self._ledger.schedule.worker_joined(HERE, HERE)
        self._maker = Maker({name: dataset.work for name, dataset in pool.datasets.items()})

    @property
    def rows_by_node(self) -> Counter[str]:
        """How many rows were made and used, here."""
        return self._ledger.rows_by_node

    def build(self) -> None:
        """Build what the author's classes build once. Raises what they raise."""
        with generators_kept():
            self._maker.build()

    def begin(self, key: PassKey, epoch: Epoch, consumed: bytes, ahead: tuple[tuple[PassKey, Epoch], ...]) -> None:
        """A pass begins, without the rows that are `consumed`. Those `ahead` wait until they begin themselves."""
        self._ledger.begin(key, epoch, consumed, time.monotonic())

    def of(self, key: PassKey) -> OwnPass:
        """The rows of a pass."""
        return OwnPass(self._ledger, self._maker, key)


class OwnPass:
    """One pass. All of the time that it takes to make rows is waited for: `waited` has it as Production."""

    def __init__(self, ledger: Ledger, maker: Maker, key: PassKey):
        self.waited = {"Production": 0.0, "Transfer": 0.0}
        self._ledger = ledger
        self._maker = maker
        self._key = key

    def tables(self) -> Iterator[pa.Table]:
        """The tables, in the pass's order. Raises what the author's code has raised for one, as it is and in its place.

        A debugger that is quit is no error of a row's: it ends the pass at once.
        """
        while True:
            given = self._ledger.answer(self._key, 0)
            if given is None:
                began = time.monotonic()
                self._work()
                self.waited["Production"] += time.monotonic() - began
                continue
            for number, table in given.units:
                self._ledger.took(self._key, 0, number)
                yield table
            if given.error is not None:
                raise given.error
            if given.has_ended:
                return

    def _work(self) -> None:
        """Do what the schedule has for this process now: two tasks at most."""
        assignments = self._ledger.schedule.assignments(time.monotonic())
        if not assignments:
            raise RuntimeError(f"the schedule has nothing to do although rows of {self._key} are missing")
        for assignment in assignments:
            self._do(assignment)
        self._ledger.let_go()

    def _do(self, assignment: Assignment) -> None:
        def call(name: str, *given: Any) -> Any:
            return getattr(self._maker, name)(*given)

        try:
            with generators_kept():
                report = self._ledger.references.call(call, assignment)
        except Exception as error:  # whatever the author's code or the data's reader raises
            if has_quit(error):
                raise
            self._ledger.failed(assignment.task_id, error, time.monotonic())
        else:
            self._ledger.done(assignment, report, HERE, time.monotonic())
