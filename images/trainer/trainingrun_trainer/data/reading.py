"""What a data task does before the user's code: read pieces, leave out used rows, shuffle, number the rows.

Runs inside Ray Data's tasks but knows nothing of Ray, so that it can be timed and tested on its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.consumed import ROW_ID, Consumed, Piece, row_ids
from trainingrun_trainer.data.formats import format_of
from trainingrun_trainer.data.layout import (
    ArrayLayout,
    from_numpy,
    infer_list_layout,
    layouts_of,
    to_numpy,
)
from trainingrun_trainer.data.order import row_order
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration, LayoutError

SAMPLE_ROWS = 512
_SAMPLE_FILES = 8


@dataclass(frozen=True)
class Epoch:
    """Which pass over the data to read: its number, its seed, and whether rows are shuffled."""

    number: int
    seed: int
    shuffle: bool


@dataclass(frozen=True)
class Inspection:
    """What the first rows showed: the columns that every file must have, and those rows (at most 512).

    `layouts` has every array column; the input and target columns, where they are no arrays, have None.
    """

    layouts: dict[str, ArrayLayout | None]
    sample: pa.Table


def inspect(source: Source, pieces: list[Piece]) -> Inspection:
    """Look at the first rows of a dataset. Raises InvalidConfiguration where there are none."""
    for piece in pieces:
        some = dataclasses.replace(piece, paths=piece.paths[:_SAMPLE_FILES], labels=piece.labels[:_SAMPLE_FILES])
        try:
            table = next((t for t in format_of(source).read(source, some) if t.num_rows), None)
        except DataError as error:
            raise InvalidConfiguration(f"{source.field}: {error}") from error
        if table is not None:
            return _inspected(source, piece, table)
    raise InvalidConfiguration(
        f'{source.field}.path: "{source.path}" has {len(pieces)} parts but no rows; allowed: at least one row'
    )


def read_rows(
    source: Source, pieces: Iterable[Piece], layouts: dict[str, ArrayLayout | None], epoch: Epoch, consumed: Consumed
) -> Iterator[pa.Table]:
    """The rows of `pieces` that are not consumed, in the epoch's order, each with its id in column `ROW_ID`.

    Array columns come as fixed-size binary, whatever the files hold. Raises DataError naming the file.
    """
    for piece in pieces:
        first = 0
        for table in format_of(source).read(source, piece):
            rows = table.num_rows
            chosen = _chosen(piece, first, rows, epoch, consumed)
            numbered = _as_binary(source, piece, table, layouts, first)
            numbered = numbered.append_column(ROW_ID, pa.array(row_ids(piece, first, rows)))
            first += rows
            if chosen is not None:
                numbered = numbered.take(pa.array(chosen))
            if numbered.num_rows:
                yield numbered


def _chosen(piece: Piece, first: int, rows: int, epoch: Epoch, consumed: Consumed) -> np.ndarray | None:
    """Places to take, in order; None for all as they are, which costs nothing."""
    wanted = consumed.remaining(piece, first, rows)
    if not epoch.shuffle:
        return None if wanted.all() else np.flatnonzero(wanted)
    order = row_order(piece, first, rows, seed=epoch.seed, epoch=epoch.number)
    return order if wanted.all() else order[wanted[order]]


def _as_binary(
    source: Source, piece: Piece, table: pa.Table, layouts: dict[str, ArrayLayout | None], first: int
) -> pa.Table:
    for name, layout in layouts.items():
        place = table.schema.get_field_index(name)
        if place < 0:
            raise DataError(f'{piece.paths[0]}: column "{name}" is missing; found {", ".join(table.column_names)}')
        if layout is None:
            continue
        try:
            _require_same(name, table.schema, layout)
            field, array = from_numpy(name, to_numpy(table.column(place), layout, name=name))
        except LayoutError as error:
            raise DataError(f"{piece.paths[0]}, rows from {first} on: {error}") from error
        table = table.set_column(place, field, array)
    return table


def _require_same(name: str, schema: pa.Schema, layout: ArrayLayout) -> None:
    """Refuse a file that says something else than the first one: as many bytes can have another shape."""
    declared = layouts_of(pa.schema([schema.field(name)], metadata=schema.metadata)).get(name)
    if declared is None:
        return
    is_binary = pa.types.is_fixed_size_binary(schema.field(name).type)
    if declared.shape != layout.shape or (is_binary and declared.dtype != layout.dtype):
        raise LayoutError(f"column {name}: found {declared}, expected {layout} as in the first file")


def _inspected(source: Source, piece: Piece, table: pa.Table) -> Inspection:
    sample = table.slice(0, SAMPLE_ROWS)
    plain = [name for name in (source.input_column, source.target_column) if name in table.column_names]
    try:
        layouts: dict[str, ArrayLayout | None] = {**dict.fromkeys(plain), **layouts_of(table.schema)}
        for name in table.column_names:
            if layouts.get(name) is None:
                # Every row that was read is checked, not only the sample: a wider type may come later.
                found = infer_list_layout(table.column(name), name=name)
                if found is not None:
                    layouts[name] = found
        return Inspection(layouts=layouts, sample=_as_binary(source, piece, sample, layouts, 0))
    except LayoutError as error:
        raise InvalidConfiguration(f"{source.field}: {piece.paths[0]}: {error}") from error
    except DataError as error:
        raise InvalidConfiguration(f"{source.field}: {error}") from error
