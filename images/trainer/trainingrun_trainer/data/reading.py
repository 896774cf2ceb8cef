"""Reads a dataset's pieces with the types that training uses, and what its first rows show about all of them.

Which rows, and in which order, is not its business. Knows nothing of Ray.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.formats import format_of
from trainingrun_trainer.data.layout import (
    ArrayLayout,
    from_numpy,
    infer_list_layout,
    layouts_of,
    to_numpy,
)
from trainingrun_trainer.data.nested_lists import refuse_null_rows
from trainingrun_trainer.data.picture_columns import carried, carried_columns, is_carried
from trainingrun_trainer.data.pictures import picture_advice
from trainingrun_trainer.data.preparing import sample_of
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.data.tensor_rules import refusal
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
    """What the first rows showed: the layouts of the columns that are arrays, and at most 512 rows as they are read.

    `stored` has the columns with the types that the files have, before pictures were decoded and lists made arrays.
    """

    layouts: dict[str, ArrayLayout]
    sample: pa.Table
    stored: pa.Schema


def inspect(source: Source, pieces: list[Piece]) -> Inspection:
    """Look at the first rows of a dataset that was found: `source` has its types. Raises InvalidConfiguration."""
    for piece in pieces:
        some = dataclasses.replace(piece, paths=piece.paths[:_SAMPLE_FILES], labels=piece.labels[:_SAMPLE_FILES])
        try:
            table = next((t for t in format_of(source).read(source, some) if t.num_rows), None)
            if table is not None:
                return _inspected(source, piece, table)
        except DataError as error:
            raise InvalidConfiguration(f"{source.field}: {error}") from error
    raise InvalidConfiguration(
        f'{source.field}.path: "{source.path}" has {len(pieces)} parts but no rows; allowed: at least one row'
    )


def stored_tables(
    source: Source, piece: Piece, layouts: dict[str, ArrayLayout], table_bytes: int
) -> Iterator[pa.Table]:
    """The rows of `piece` in its order, without ids, in tables of about `table_bytes` bytes.

    Array columns come as fixed-size binary, and pictures as they are stored: `prepare_rows` decodes them. Raises
    DataError naming the file.
    """
    first = 0
    for stored in format_of(source).read(source, piece, table_bytes):
        table = carried(source, piece.paths[0], stored, first)
        yield _as_binary(source, piece, table, layouts, first)
        first += table.num_rows


def _as_binary(source: Source, piece: Piece, table: pa.Table, layouts: dict[str, ArrayLayout], first: int) -> pa.Table:
    for name in table.column_names:
        place = table.schema.get_field_index(name)
        try:
            if is_carried(table.schema.field(place).type):
                continue
            if name in layouts:
                _require_same(name, table.schema, layouts[name])
                field, array = from_numpy(name, to_numpy(table.column(place), layouts[name], name=name))
                table = table.set_column(place, field, array)
            elif name in source.without_nulls:
                refuse_null_rows(table.column(place), name, 0)
        except LayoutError as error:
            advice = picture_advice(source) if name in source.picture_columns else ""
            raise DataError(f"{piece.paths[0]}, rows from {first} on: {error}{advice}") from error
    return table


def _require_same(name: str, schema: pa.Schema, layout: ArrayLayout) -> None:
    """Refuse a table whose arrays are not those of the first one: as many bytes can have another shape."""
    declared = layouts_of(pa.schema([schema.field(name)], metadata=schema.metadata)).get(name)
    if declared is not None and declared != layout:
        raise LayoutError(f"column {name}: found {declared}, expected {layout} as in the first file")


def _inspected(source: Source, piece: Piece, table: pa.Table) -> Inspection:
    path = piece.paths[0]
    stored = carried(source, path, table, 0)
    _refuse_no_pictures(source, stored)
    sample = sample_of(source, stored).slice(0, SAMPLE_ROWS)
    layouts = layouts_of(sample.schema)
    for name in table.column_names:
        if name in layouts:
            continue
        try:
            # Every row that was read is looked at, not only the sample.
            found = infer_list_layout(table.column(name), name=name)
            if name in source.without_nulls:
                refuse_null_rows(table.column(name), name, 0)
        except LayoutError as error:
            # To a hook these are lists like others.
            if name in source.required:
                hint = refusal(table.schema.field(name).type) or "nulls cannot be trained on; fill them in a transform"
                raise InvalidConfiguration(f"{source.field}: {path}: {error}. The column {hint}") from error
            continue
        if found is not None and name not in source.ragged:
            layouts[name] = found
        elif name in source.required:
            _refuse_no_tensor(source, name, table.schema.field(name).type)
    return Inspection(layouts, _as_binary(source, piece, sample, layouts, 0), table.schema)


def _refuse_no_pictures(source: Source, table: pa.Table) -> None:
    if source.path_column is not None and not carried_columns(table):
        setting = "imageSize" if source.image_size is not None else "imageMode"
        found = ", ".join(
            f"{name} is {table.schema.field(name).type}" for name in source.inputs if name in table.column_names
        )
        raise InvalidConfiguration(
            f"{source.field}.{setting}: found no input column with pictures ({found or 'no input column'}); allowed: "
            "with encoded pictures (binary) in input columns, or their paths (string) in the first one"
        )


def _refuse_no_tensor(source: Source, name: str, kind: pa.DataType) -> None:
    reason = refusal(kind)
    if reason is not None:
        role = "an input" if name in source.inputs else "a target"
        raise InvalidConfiguration(f'{source.field}: column "{name}", {role}, {reason}')
