"""Rows as a user has them, as the table that a run would have read: the same types, and pictures decoded alike.

It must not guess: what the run's own data could not have been is refused, with what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from trainingrun_trainer.data.columns import table_of
from trainingrun_trainer.data.layout import layouts_of
from trainingrun_trainer.data.picture_columns import carried, column_of, is_carried, is_text
from trainingrun_trainer.data.pictures import pixels
from trainingrun_trainer.data.preparing import prepare_rows
from trainingrun_trainer.data.reading_notes import ReadingNotes
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError

# A table, columns by name, or one dict for each row.
Rows: TypeAlias = pa.Table | Mapping[str, Any] | Sequence[Mapping[str, Any]]
_HERE = "rows"


def table_of_rows(rows: Rows, source: Source, notes: ReadingNotes) -> pa.Table:
    """The table that reading these rows from files would give to the run's transforms.

    Pictures may be arrays, images of Pillow, encoded bytes, or paths. Raises DataError.
    """
    table = rows if isinstance(rows, pa.Table) else _table(_columns(rows), source)
    if not table.num_rows:
        raise DataError("found no rows, expected one or more")
    for name in source.picture_columns:
        table = _with_paths(table, name)
    table = _typed(table, notes)
    table, _ = prepare_rows(source, notes.layouts, carried(source, f"{Path.cwd()}/{_HERE}", table, 0))
    _check_layouts(table, notes)
    return table


def _columns(rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if isinstance(rows, Mapping):
        return dict(rows)
    names = list(rows[0]) if rows else []
    for place, row in enumerate(rows):
        if set(row) != set(names):
            raise DataError(f"row {place}: found {', '.join(row)}, expected the columns of row 0: {', '.join(names)}")
    return {name: [row[name] for row in rows] for name in names}


def _table(columns: dict[str, Any], source: Source) -> pa.Table:
    for name in source.picture_columns:
        values = columns.get(name)
        if isinstance(values, list | tuple):
            columns[name] = [_pixels(value, name, place, source) for place, value in enumerate(values)]
    return table_of({name: _stacked(values) for name, values in columns.items()})


def _pixels(value: Any, name: str, place: int, source: Source) -> Any:
    """Of an image of Pillow its pixels, as of one in a file; anything else as it is."""
    is_image = hasattr(value, "getbands") and hasattr(value, "convert")
    return pixels(source, value, path=f"{_HERE}: column {name}, row {place}") if is_image else value


def _stacked(values: Any) -> Any:
    """Arrays and tensors of one shape as one array, as files hold them; else as they are."""
    import numpy as np

    if not isinstance(values, list | tuple) or not all(hasattr(value, "shape") for value in values):
        return values
    arrays = [np.asarray(value) for value in values]
    return np.stack(arrays) if len({(array.shape, array.dtype) for array in arrays}) == 1 else values


def _with_paths(table: pa.Table, name: str) -> pa.Table:
    """The table with the paths of a column of pictures as they travel; they count from the current folder."""
    place = table.schema.get_field_index(name)
    if place < 0 or not is_text(table.schema.field(place).type):
        return table
    paths = [text if "://" in text else str(Path(text).absolute()) for text in table.column(place).to_pylist()]
    return table.set_column(place, name, column_of(paths, paths=paths))


def _typed(table: pa.Table, notes: ReadingNotes) -> pa.Table:
    """The table with the types that the run has read columns with."""
    arrays, known = layouts_of(table.schema), notes.schema if notes.schema is not None else pa.schema([])
    for name in table.column_names:
        place = known.get_field_index(name)
        if place < 0 or name in arrays or is_carried(table.column(name).type):
            continue
        wanted, column = known.field(place), table.column(name)
        try:
            table = table.set_column(table.schema.get_field_index(name), wanted, column.cast(wanted.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            if name in notes.layouts or pa.types.is_struct(wanted.type) or pa.types.is_binary(wanted.type):
                continue  # a picture in another of its forms
            raise DataError(f'column "{name}": found {column.type}, expected {wanted.type}: {error}') from error
    return table


def _check_layouts(table: pa.Table, notes: ReadingNotes) -> None:
    for name, found in layouts_of(table.schema).items():
        expected = notes.layouts.get(name)
        if expected is not None and found != expected:
            raise DataError(f'column "{name}": found {found}, expected {expected}, as the run has read it')
