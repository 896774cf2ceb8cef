"""Applies the author's transform to a block: row by row, or some rows at once, and never more than memory bears.

Runs in data tasks. Must keep each row's id beside it, so that a run can tell which rows it has trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.call_size import first_rows, next_rows
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.layout import NUMBER_KINDS, layouts_of, to_numpy
from trainingrun_trainer.data.values import column_of, rows_column, stacked, stored
from trainingrun_trainer.failures.errors import DataError, UserCodeError
from trainingrun_trainer.failures.tracebacks import user_traceback
from trainingrun_trainer.hooks import Hook

# The epoch's seed, int64 and the same in every row; a block has it where the function asks for seeds.
EPOCH_SEED = "__trainingrun_epoch_seed"


@dataclass(frozen=True)
class Transform:
    """A transform as the run names it; the function itself is found in the process that applies it."""

    function: str
    kind: str  # Row or Batch
    batch_format: str = "NumPy"  # NumPy, Arrow or Torch
    training: bool = True
    parameters: dict[str, Any] = field(default_factory=dict)
    input_columns: tuple[str, ...] = ()
    name: str = "spec.recipe.transform"
    batch_size: int | None = None

    @property
    def hook(self) -> Hook:
        """The author's function. One that wants to know is told whether to augment, what the model gets, and a seed."""
        told = {"training": self.training, "input_columns": self.input_columns, "seed": 0}
        return Hook(self.name, self.function, f"transform ({self.kind})", self.parameters, told)

    @property
    def takes_seed(self) -> bool:
        """Whether the function wants a seed for each call; one among the run's parameters stays."""
        return "seed" in self.hook.keywords and "seed" not in self.parameters

    def __call__(self, table: pa.Table) -> pa.Table:
        """The whole block, transformed as `blocks` does it, in one table: for samples."""
        made = list(self.blocks(table))
        try:
            return pa.concat_tables(made, promote_options="permissive") if made else table.slice(0, 0)
        except pa.ArrowException as error:
            raise DataError(f"the transform returned columns of different types for different rows: {error}") from None

    def blocks(self, table: pa.Table) -> Iterator[pa.Table]:
        """The transformed block bit by bit: `batch_size` rows a call, or as many as keep a call's result small.

        Calls that return no rows yield nothing. Raises UserCodeError with the author's traceback, or DataError.
        """
        hook, takes_seed = self.hook, self.takes_seed
        start, rows = 0, self.batch_size or first_rows(table.num_rows, table.nbytes)
        while start < table.num_rows:
            part = table.slice(start, rows)
            made = self._call(hook, part, _Seeds(part) if takes_seed else None)
            start += part.num_rows
            if self.batch_size is None:
                rows = next_rows(part.num_rows, part.nbytes, made.nbytes)
            if made.num_rows:
                yield made

    def _call(self, hook: Hook, table: pa.Table, seeds: _Seeds | None) -> pa.Table:
        function, keywords = hook.function, hook.keywords
        own = [name for name in (ROW_ID, EPOCH_SEED) if name in table.column_names]
        rows = table.drop_columns(own)
        try:
            if self.kind == "Row":
                result = _by_row(function, keywords, rows, seeds)
            else:
                seeded = {"seed": seeds.of(0)} if seeds else {}
                result = _by_batch(function, {**keywords, **seeded}, rows, self.batch_format)
        except (DataError, UserCodeError):
            raise
        except Exception as error:  # whatever the author's code raises is theirs to read
            raise UserCodeError(user_traceback(error)) from None
        if ROW_ID not in own:
            return result
        return result.append_column(ROW_ID, _spread(table.column(ROW_ID), result.num_rows))


def columns_of(table: pa.Table) -> dict[str, np.ndarray]:
    """Each column as an array of shape (rows, …) where it can be one; array columns are views without a copy.

    A column of lists whose rows differ is an array of shape (rows,) that holds an array or a list for each row.
    """
    layouts = layouts_of(table.schema)
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        array = to_numpy(column, layouts[name], name=name) if name in layouts else stacked(column, name)
        columns[name] = stored(column, table.schema.field(name)) if array is None else array
    return columns


def table_of(columns: dict[str, Any]) -> pa.Table:
    """The inverse of `columns_of`; tensors, arrays, and lists of anything are accepted. Types stay as they are."""
    return _table([column_of(name, values) for name, values in columns.items()])


def _table(columns: list[tuple[pa.Field, pa.Array]]) -> pa.Table:
    if len({len(array) for _, array in columns}) > 1:
        lengths = ", ".join(f"{field.name} {len(array)}" for field, array in columns)
        raise DataError(f"the transform returned columns of different lengths: {lengths}")
    return pa.table([array for _, array in columns], schema=pa.schema([field for field, _ in columns]))


def _given(table: pa.Table) -> dict[str, np.ndarray]:
    """The columns as the author's function gets them: theirs to write to, and of types that follow from the file's."""
    layouts = layouts_of(table.schema)
    # Copies, so that a function that works in place does not write into shared memory.
    return {
        name: np.array(to_numpy(table.column(name), layouts[name], name=name))
        if name in layouts
        else stored(table.column(name), table.schema.field(name))
        for name in table.column_names
    }


def _by_row(function: Callable[..., Any], keywords: dict[str, Any], table: pa.Table, seeds: _Seeds | None) -> pa.Table:
    columns = _given(table)
    untouched = set(table.column_names) - layouts_of(table.schema).keys()
    results: list[dict[str, Any]] = []
    for place in range(table.num_rows):
        row = {name: values[place] for name, values in columns.items()}
        result = function(dict(row), **(keywords | {"seed": seeds.of(place)} if seeds else keywords))
        if not isinstance(result, dict):
            raise DataError(f"the Row transform returned {_kind(result)}, expected the row as a dict")
        results.append(result)
        if result.keys() != results[0].keys():
            raise DataError(
                f"the Row transform returned the columns {', '.join(map(str, result))} for row {place} of a call, "
                f"others have {', '.join(map(str, results[0]))}; all rows must have the same columns"
            )
        untouched &= {name for name in row if result.get(name) is row[name]}
    made = []
    for name in results[0]:
        original = table.column(name) if name in untouched else None
        made.append(rows_column(name, [result[name] for result in results], original))
    return _table(made)


def _by_batch(function: Callable[..., Any], keywords: dict[str, Any], table: pa.Table, batch_format: str) -> pa.Table:
    if batch_format == "Arrow":
        result = function(table, **keywords)
        given = {}
    else:
        given = _batch(table, batch_format)
        result = function(dict(given), **keywords)
    if isinstance(result, pa.Table):
        return result
    if not isinstance(result, dict):
        raise DataError(
            f"the Batch transform returned {_kind(result)}, expected a dict of arrays or tensors or a pyarrow.Table"
        )
    layouts = layouts_of(table.schema)
    made = []
    for name, values in result.items():
        is_untouched = name in given and values is given[name] and name not in layouts
        made.append(column_of(name, values, table.column(name) if is_untouched else None))
    return _table(made)


def _batch(table: pa.Table, batch_format: str) -> dict[str, Any]:
    if batch_format != "Torch":
        return dict(_given(table))
    import torch

    # What no tensor can hold, such as text, stays an array.
    return {
        name: torch.as_tensor(values) if values.dtype.kind in NUMBER_KINDS else values
        for name, values in _given(table).items()
    }


class _Seeds:
    """A seed for each row: the same whenever this row comes up in this epoch of this run."""

    def __init__(self, table: pa.Table):
        has_ids = ROW_ID in table.column_names
        self._ids = table.column(ROW_ID).to_numpy() if has_ids else np.arange(table.num_rows)
        self._epoch = table.column(EPOCH_SEED)[0].as_py() if EPOCH_SEED in table.column_names else 0

    def of(self, place: int) -> int:
        """The seed, 0 to 2^32 - 1, which every generator of random numbers takes."""
        return int(np.random.SeedSequence((self._epoch, int(self._ids[place]))).generate_state(1)[0])


def epoch_seed(seed: int, epoch: int) -> int:
    """What tells an epoch of a run from others: 0 to 2^32 - 1."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])


def _kind(value: Any) -> str:
    return "None (is a `return` missing?)" if value is None else type(value).__name__


def _spread(ids: pa.ChunkedArray, rows: int) -> pa.Array | pa.ChunkedArray:
    """The ids for a result of `rows` rows. A transform that drops or adds rows makes resuming approximate."""
    if rows == len(ids):
        return ids
    return pa.array(ids.to_numpy()[np.linspace(0, len(ids) - 1, rows).astype(np.int64)])
