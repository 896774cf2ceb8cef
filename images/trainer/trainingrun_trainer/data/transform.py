"""Applies a run's steps of preprocessing to rows, one after the other, and never to more at once than memory bears.

Runs on the data group. Must keep each row's id beside it, also where steps drop rows or make several of one, so that a
run can tell which rows it has trained on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.call_size import first_rows, next_rows
from trainingrun_trainer.data.columns import joined
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.parents import settled
from trainingrun_trainer.data.seeds import EPOCH_SEED, ROW_KEY, child_keys
from trainingrun_trainer.data.step import HIDDEN, Step
from trainingrun_trainer.data.step_calls import Made


@dataclass
class Tried:
    """What a step has done since its chain was last given rows. `nones`: rows for which it returned None."""

    seconds: float = 0.0
    calls: int = 0
    rows_in: int = 0
    rows_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    nones: int = 0


@dataclass(frozen=True)
class Chain:
    """The steps on the data group, in their order. `tried` is by the steps' labels, of the rows that came last."""

    steps: tuple[Step, ...]
    training: bool = True
    tried: dict[str, Tried] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def takes_seed(self) -> bool:
        """Whether rows must bring EPOCH_SEED: generators of random numbers are seeded for every step."""
        return bool(self.steps)

    @property
    def concurrency(self) -> int | None:
        """The most data workers; None: as many as there is room for."""
        return min((step.concurrency for step in self.steps if step.concurrency is not None), default=None)

    @property
    def seconds_by_step(self) -> dict[str, float]:
        """Seconds in the author's functions, by the steps' labels, of the rows that came last."""
        return {label: tried.seconds for label, tried in self.tried.items()}

    def for_training(self, training: bool) -> Chain:
        """The chain as training, or validation, has it. Instances of classes are the same in both."""
        return replace(self, training=training)

    def build(self) -> None:
        """Build what is built once in a process. Raises UserCodeError, DataError or InvalidConfiguration."""
        for step in self.steps:
            step.callable()

    def __call__(self, table: pa.Table) -> pa.Table:
        """The whole table in one, as `blocks` makes it, with ids so that each row of `table` counts once.

        See `parents.settled`. Raises what `blocks` does.
        """
        made = list(self.blocks(table))
        if not made:
            whole = table.slice(0, 0).drop_columns([EPOCH_SEED] if EPOCH_SEED in table.column_names else [])
        else:
            with self.steps[-1].named():
                whole = joined(made)
        return settled(table, whole) if ROW_ID in table.column_names else whole

    def blocks(self, table: pa.Table) -> Iterator[pa.Table]:
        """The rows bit by bit; ROW_ID, where there is one, is of the row that each was made from.

        Each step gets `batch_size` rows a call, or as many as keep a call's result small. Nothing is yielded without
        rows. Raises UserCodeError with the author's traceback, or DataError; both name the step.
        """
        self.tried.clear()
        self.tried.update({step.label: Tried() for step in self.steps})
        keys = table.column(ROW_ID).to_numpy() if ROW_ID in table.column_names else np.arange(table.num_rows)
        tables = iter([table.append_column(ROW_KEY, pa.array(keys.astype(np.uint64)))])
        for place in range(len(self.steps)):
            tables = self._through(place, tables)
        for made in tables:
            yield made.drop_columns([name for name in (ROW_KEY, EPOCH_SEED) if name in made.column_names])

    def _through(self, place: int, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        step = self.steps[place]
        rows, waiting = step.batch_size or 0, _Waiting(self.steps[max(0, place - 1)])
        for table in tables:
            waiting.add(table)
            rows = rows or first_rows(table.num_rows, table.nbytes)
            while waiting.rows >= rows:
                made, rows = self._call(step, waiting.take(rows))
                if made.num_rows:
                    yield made
        while waiting.rows:
            made, rows = self._call(step, waiting.take(rows))
            if made.num_rows:
                yield made

    def _call(self, step: Step, part: pa.Table) -> tuple[pa.Table, int]:
        """What the step makes of these rows, and how many it gets next."""
        tried = self.tried[step.label]
        began = time.perf_counter()
        result = step.rows(part, training=self.training)
        tried.seconds += time.perf_counter() - began
        tried.calls += 1
        tried.rows_in += part.num_rows
        tried.rows_out += result.table.num_rows
        tried.bytes_in += part.nbytes
        tried.bytes_out += result.table.nbytes
        tried.nones += result.nones
        rows = step.batch_size or next_rows(part.num_rows, part.nbytes, result.table.nbytes)
        return _with_hidden(part, result), rows


class _Waiting:
    """Rows that `maker` has made and that wait until there are enough for a call of the step behind it."""

    def __init__(self, maker: Step):
        self.rows = 0
        self._maker = maker
        self._tables: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """More rows, of one row or more."""
        self.rows += table.num_rows
        self._tables.append(table)

    def take(self, rows: int) -> pa.Table:
        """The first `rows` rows, or as many as there are."""
        with self._maker.named():
            whole = joined(self._tables)
        rest = whole.slice(rows)
        self._tables, self.rows = [rest], rest.num_rows
        return whole.slice(0, rows)


def worker_options(chain: Chain | None) -> dict[str, Any]:
    """Ray's options for a data worker that applies `chain`: the most that any step asks for, and 1 CPU if none does."""
    steps = chain.steps if chain is not None else ()
    memory = max((step.memory for step in steps if step.memory is not None), default=None)
    gpus = max((step.gpus for step in steps), default=0.0)
    return {
        "num_cpus": max((step.cpus for step in steps if step.cpus is not None), default=1.0),
        **({"memory": memory} if memory is not None else {}),
        **({"num_gpus": gpus} if gpus else {}),
    }


def _with_hidden(part: pa.Table, result: Made) -> pa.Table:
    """What a call has made, with our own columns of the rows that it was made from."""
    made, parents = result.table, result.parents
    for name in (name for name in HIDDEN if name in part.column_names):
        column = part.column(name)
        if parents is not None and name == ROW_KEY:
            column = pa.array(child_keys(column.to_numpy(), parents))
        elif parents is not None:
            column = column.take(pa.array(parents))
        made = made.append_column(name, column)
    return made
