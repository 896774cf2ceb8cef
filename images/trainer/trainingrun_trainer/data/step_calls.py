"""One call of an author's function on rows of a table: row by row, or on all of them at once.

What comes back is a table and, where rows were dropped, added or moved, the row that each one was made from. It must
not know of chains, ids or who the author is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.columns import batch_of, given, table_with
from trainingrun_trainer.data.layout import layouts_of
from trainingrun_trainer.data.parents import places_of, unknown_parents
from trainingrun_trainer.data.seeds import Places
from trainingrun_trainer.data.values import as_array, column_of, is_of_arrays, rows_column
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.seeding import seed_generators
from trainingrun_trainer.transform_marks import PARENT


@dataclass(frozen=True)
class Made:
    """What a call has made. `parents` are the places of the rows that its rows were made from; None: of each its own.

    `nones` is how many rows the function returned None for.
    """

    table: pa.Table
    parents: Places | None = None
    nones: int = 0


def by_row(
    function: Callable[..., Any], keywords: dict[str, Any], table: pa.Table, seeds: Places, *, tells_seed: bool
) -> Made:
    """Call `function` with each row, after seeding all generators with the row's seed, which it may also be told.

    It returns the row as a dict, None to leave it out, or a list of dicts, or yields them. Raises DataError, and
    whatever the function does.
    """
    columns = given(table)
    untouched = set(table.column_names) - layouts_of(table.schema).keys()
    results: list[dict[str, Any]] = []
    parents: list[int] = []
    nones = 0
    for place in range(table.num_rows):
        row = {name: values[place] for name, values in columns.items()}
        seed = int(seeds[place])
        seed_generators(seed)
        result = function(dict(row), **(keywords | {"seed": seed} if tells_seed else keywords))
        nones += result is None
        for one in _rows(result):
            results.append(one)
            parents.append(place)
            _check_columns(one, results[0], place)
            untouched &= {name for name in row if one.get(name) is row[name]}
    is_same = parents == list(range(table.num_rows))
    places = np.array(parents, np.int64)
    made = []
    for name in results[0] if results else ():
        original = (table.column(name) if is_same else table.column(name).take(places)) if name in untouched else None
        made.append(_marked(table, original, *rows_column(name, [result[name] for result in results], original)))
    return Made(table_with(made), None if is_same else places, nones)


def by_batch(function: Callable[..., Any], keywords: dict[str, Any], table: pa.Table, batch_format: str) -> Made:
    """Call `function` with all rows at once. Raises DataError, and whatever the function does."""
    batch = {} if batch_format == "Arrow" else batch_of(table, batch_format)
    result = function(table if batch_format == "Arrow" else dict(batch), **keywords)
    if isinstance(result, pa.Table):
        parents = result.column(PARENT).to_numpy() if PARENT in result.column_names else None
        made = result.drop_columns([PARENT]) if parents is not None else result
    elif isinstance(result, dict):
        parents = result.get(PARENT)
        made = _table_of_batch({name: values for name, values in result.items() if name != PARENT}, batch, table)
    else:
        raise DataError(
            f"the Batch transform returned {_kind(result)}, expected a dict of arrays or tensors or a pyarrow.Table"
        )
    if parents is not None:
        return Made(made, places_of(parents, table.num_rows, made.num_rows))
    if made.num_rows in (0, table.num_rows):
        return Made(made, None if made.num_rows else np.zeros(0, np.int64))
    raise unknown_parents(table.num_rows, made.num_rows)


def _rows(result: Any) -> list[dict[str, Any]]:
    """The rows that a Row function has returned for one."""
    if result is None or isinstance(result, dict):
        return [] if result is None else [result]
    is_list = isinstance(result, list | tuple | GeneratorType)
    rows = list(result) if is_list else [result]
    wrong = [row for row in rows if not isinstance(row, dict)]
    if wrong:
        raise DataError(
            f"the Row transform returned {'a list with ' if is_list else ''}{type(wrong[0]).__name__}, expected the "
            "row as a dict, None to leave it out, or a list of rows"
        )
    return rows


def _check_columns(row: dict[str, Any], first: dict[str, Any], place: int) -> None:
    if row.keys() != first.keys():
        raise DataError(
            f"the Row transform returned the columns {', '.join(map(str, row))} for row {place} of a call, "
            f"others have {', '.join(map(str, first))}; all rows must have the same columns"
        )


def _table_of_batch(result: dict[str, Any], batch: dict[str, Any], table: pa.Table) -> pa.Table:
    layouts = layouts_of(table.schema)
    made = []
    for name, values in result.items():
        is_known = name in batch and name not in layouts
        if is_known and is_of_arrays(table.schema.field(name)) and not isinstance(values, list | tuple):
            # Other calls may have had arrays of different shapes.
            made.append(rows_column(name, list(as_array(values))))
            continue
        original = table.column(name) if is_known and values is batch[name] else None
        made.append(_marked(table, original, *column_of(name, values, original)))
    return table_with(made)


def _marked(table: pa.Table, original: Any, field: pa.Field, column: pa.Array) -> tuple[pa.Field, pa.Array]:
    """A column and its field; what was handed through keeps what the field of the `original` says beside the type."""
    if original is None or field.type != original.type:
        return field, column
    return table.schema.field(field.name), column


def _kind(value: Any) -> str:
    return "None (is a `return` missing?)" if value is None else type(value).__name__
