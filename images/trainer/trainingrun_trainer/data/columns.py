"""A table as the arrays that an author's function works on, and what it returns as a table again.

It must not call anything of the author's. No Ray, and torch only where a function asks for tensors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.layout import NUMBER_KINDS, layouts_of, to_numpy
from trainingrun_trainer.data.values import column_of, is_of_arrays, stacked, stored
from trainingrun_trainer.failures.errors import DataError


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


def words_of(table: pa.Table) -> dict[str, str]:
    """Type and shape of a row's columns in words, by name; of what is no array the type that is stored."""
    words = {}
    for name, array in columns_of(table).items():
        shape = f" {array.shape[1:]}" if array.ndim > 1 else ""
        words[name] = str(table.schema.field(name).type) if array.dtype.hasobject else f"{array.dtype}{shape}"
    return words


def table_of(columns: dict[str, Any]) -> pa.Table:
    """The inverse of `columns_of`; tensors, arrays, and lists of anything are accepted. Types stay as they are."""
    return table_with([column_of(name, values) for name, values in columns.items()])


def table_with(columns: list[tuple[pa.Field, pa.Array]]) -> pa.Table:
    """The table of these columns. Raises DataError where their lengths differ."""
    if len({len(array) for _, array in columns}) > 1:
        lengths = ", ".join(f"{field.name} {len(array)}" for field, array in columns)
        raise DataError(f"the transform returned columns of different lengths: {lengths}")
    return pa.table([array for _, array in columns], schema=pa.schema([field for field, _ in columns]))


def joined(tables: list[pa.Table]) -> pa.Table:
    """One table of one or more that the same function has made. Raises DataError where their types do not go together.

    Whole numbers and fractions do, and so do columns without a value and any others.
    """
    first = tables[0]
    if all(table.schema.equals(first.schema, check_metadata=True) for table in tables):
        return pa.concat_tables(tables)
    layouts = layouts_of(first.schema)
    try:
        # An array's shape is no part of its Arrow type.
        if any(layouts_of(table.schema) != layouts for table in tables):
            raise pa.ArrowTypeError("arrays of different shapes or types")
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(f"the transform returned columns of different types for different rows: {error}") from None


def given(table: pa.Table) -> dict[str, np.ndarray]:
    """The columns as the author's function gets them: theirs to write to, and of types that follow from the file's.

    A column that a step before has made of arrays, one a row, is one array where all of these have one shape.
    """
    layouts = layouts_of(table.schema)
    columns = {}
    for name in table.column_names:
        column, made = table.column(name), table.schema.field(name)
        array = to_numpy(column, layouts[name], name=name) if name in layouts else None
        if array is None and is_of_arrays(made):
            array = stacked(column, name)
        # Copies, so that a function that works in place does not write into shared memory.
        columns[name] = stored(column, made) if array is None else np.array(array)
    return columns


def batch_of(table: pa.Table, batch_format: str) -> dict[str, Any]:
    """The columns as a Batch function gets them in the format NumPy or Torch."""
    if batch_format != "Torch":
        return dict(given(table))
    import torch

    # What no tensor can hold, such as text, stays an array.
    return {
        name: torch.as_tensor(values) if values.dtype.kind in NUMBER_KINDS else values
        for name, values in given(table).items()
    }
