"""The one schema of a conversion: settled on the first rows, and every later row brought to it or refused by number.

Types stay as the source has them unless the user names another. Lists of numbers become arrays where all rows have one
shape, since arrays are read at the speed of a copy; where rows differ they stay lists.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainingrun_trainer.convert.errors import ConvertError
from trainingrun_trainer.convert.sources import Naming, Numbers, Source, Stream, require_input
from trainingrun_trainer.convert.types import cast_array, cast_column, number_type
from trainingrun_trainer.data.layout import ArrayLayout, from_numpy, infer_list_layout, layouts_of, to_numpy
from trainingrun_trainer.data.nested_lists import is_list_of_numbers
from trainingrun_trainer.failures.errors import LayoutError

# Rows of a stream that are looked at before its schema is settled, and of a source that can be indexed.
STREAM_BYTES = 64 * 1024 * 1024
SAMPLE_ROWS = 256


def settled(source: Source, naming: Naming, types: Mapping[str, pa.DataType]) -> Source:
    """Return the source with all chunks in one schema. `types` are what the user wants columns to be.

    Raises ConvertError where there is no input column, no such column as in `types`, or a target without a value.
    """
    if isinstance(source, Stream):
        return replace(source, chunks=_settled_stream(source, naming, types))
    read = source.read
    if not source.rows:
        return source
    sample = np.unique(np.linspace(0, source.rows - 1, 1 if source.is_typed else SAMPLE_ROWS).astype(np.int64))
    schema = _Schema.of([read(sample[place : place + 1]) for place in range(len(sample))], naming, types, frozenset())
    return replace(source, read=lambda numbers: schema.conform(read(numbers), numbers))


def _settled_stream(source: Stream, naming: Naming, types: Mapping[str, pa.DataType]) -> Iterator[pa.Table]:
    first: list[pa.Table] = []
    size = 0
    for table in source.chunks:
        if table.num_rows:
            first.append(table)
            size += table.nbytes
        if size >= STREAM_BYTES:
            break
    if not first:
        return
    schema = _Schema.of(first, naming, types, source.ragged)
    start = 0
    chunks = itertools.chain(_taken(first), source.chunks)
    for table in chunks:
        if table.num_rows:
            yield schema.conform(table, np.arange(start, start + table.num_rows))
            start += table.num_rows


def _taken(tables: list[pa.Table]) -> Iterator[pa.Table]:
    """Each table once; nothing holds it afterwards."""
    while tables:
        yield tables.pop(0)


@dataclass(frozen=True)
class _Schema:
    """Every column: arrays of one layout, or values of one type. The types of those in `wanted` are the user's."""

    naming: Naming
    columns: Mapping[str, ArrayLayout | pa.DataType]
    wanted: Mapping[str, pa.DataType]

    @classmethod
    def of(
        cls, tables: Sequence[pa.Table], naming: Naming, wanted: Mapping[str, pa.DataType], ragged: frozenset[str]
    ) -> _Schema:
        names = tables[0].column_names
        require_input(names, naming)
        unknown = [name for name in wanted if name not in names]
        if unknown:
            raise ConvertError(f"--type: found no column {unknown[0]} among {', '.join(names)}")
        columns = {}
        for name in names:
            found = [table for table in tables if name in table.column_names]
            columns[name] = _column(name, found, wanted.get(name), is_ragged=name in ragged)
        return cls(naming, columns, wanted)

    def conform(self, table: pa.Table, numbers: Numbers) -> pa.Table:
        """The table in this schema; `numbers` are its rows' numbers in the source."""
        if table.num_rows == 0:
            return table
        if set(table.column_names) != set(self.columns):
            raise ConvertError(
                f"row {numbers[0]}: found the columns {', '.join(table.column_names)}, "
                f"expected {', '.join(self.columns)} as in the rows before"
            )
        self._require_targets(table, numbers)
        layouts = layouts_of(table.schema)
        made = []
        for name, kind in self.columns.items():
            column = table.column(name)
            if isinstance(kind, ArrayLayout):
                made.append(self._array(name, column, layouts.get(name), kind, numbers))
            else:
                made.append((pa.field(name, kind), self._values(name, column, kind, numbers)))
        return pa.table([array for _, array in made], schema=pa.schema([field for field, _ in made]))

    def _array(
        self, name: str, column: pa.ChunkedArray, found: ArrayLayout | None, layout: ArrayLayout, numbers: Numbers
    ) -> tuple[pa.Field, pa.Array]:
        stored = found or ArrayLayout(layout.shape, _stored_dtype(column, layout))
        if stored.shape != layout.shape or (name not in self.wanted and stored.dtype != layout.dtype):
            raise ConvertError(f"column {name}, row {numbers[0]}: found {stored}, expected {layout} as before")
        try:
            values = to_numpy(column, stored, name=name)
        except LayoutError:
            raise self._first_wrong(name, column, stored, numbers) from None
        return from_numpy(name, cast_array(name, values, layout.dtype, numbers))

    def _values(self, name: str, column: pa.ChunkedArray, kind: pa.DataType, numbers: Numbers) -> pa.ChunkedArray:
        if column.type == kind:
            return column
        if name not in self.wanted and not _is_wider(column.type, kind):
            raise ConvertError(
                f"column {name}, rows from {numbers[0]}: found {column.type}, expected {kind} as in the rows before; "
                f"--type {name}=… names a type for all rows"
            )
        return cast_column(name, column, kind, numbers)

    def _first_wrong(
        self, name: str, column: pa.ChunkedArray, layout: ArrayLayout, numbers: Numbers
    ) -> ConvertError | LayoutError:
        for place, number in enumerate(numbers.tolist()):
            try:
                to_numpy(column.slice(place, 1), layout, name=name, first_row=number)
            except LayoutError as error:
                return LayoutError(f"{error}; --type {name}={column.type} keeps lists of any length")
        return ConvertError(f"column {name}: rows differ from {layout}")

    def _require_targets(self, table: pa.Table, numbers: Numbers) -> None:
        name = self.naming.target_column
        if name not in table.column_names:
            return
        is_missing = pc.is_null(table.column(name), nan_is_null=True)
        if pc.any(is_missing).as_py():
            row = numbers[pc.index(is_missing, True).as_py()]
            raise ConvertError(f"column {name}: found a row without a value (row {row}), expected one in every row")


def _column(
    name: str, tables: Sequence[pa.Table], wanted: pa.DataType | None, *, is_ragged: bool
) -> ArrayLayout | pa.DataType:
    """The layout or the type that a column has in all of these tables."""
    layouts = [layouts_of(table.schema).get(name) for table in tables]
    if layouts[0] is not None:
        dtype = layouts[0].dtype if wanted is None else number_type(name, wanted)
        return ArrayLayout(layouts[0].shape, dtype)
    kind = _joined(name, [table.schema.field(name).type for table in tables])
    if is_list_of_numbers(kind) and not (wanted is not None and pa.types.is_nested(wanted)):
        column = pa.chunked_array([chunk.cast(kind) for table in tables for chunk in table.column(name).chunks], kind)
        layout = None if is_ragged else _shared_layout(name, column)
        if layout is not None:
            return layout if wanted is None else ArrayLayout(layout.shape, number_type(name, wanted))
        if wanted is not None:
            raise ConvertError(
                f"--type {name}={wanted}: rows of {kind} differ in shape or have nulls; name a type of lists"
            )
    return kind if wanted is None else wanted


def _shared_layout(name: str, column: pa.ChunkedArray) -> ArrayLayout | None:
    try:
        return infer_list_layout(column, name=name)
    except LayoutError:  # Rows differ, or some are null.
        return None


def _joined(name: str, kinds: Sequence[pa.DataType]) -> pa.DataType:
    """The type that holds the values of all; fractions hold whole numbers, and anything holds nulls."""
    different = list(dict.fromkeys(kinds))
    try:
        schemas = [pa.schema([(name, kind)]) for kind in different]
        return pa.unify_schemas(schemas, promote_options="permissive").field(name).type
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        raise ConvertError(
            f"column {name}: found {different[-1]} and {different[0]}, expected one type in all rows"
        ) from error


def _is_wider(found: pa.DataType, kind: pa.DataType) -> bool:
    try:
        return bool(_joined("", [kind, found]) == kind)
    except ConvertError:
        return False


def _stored_dtype(column: pa.ChunkedArray, layout: ArrayLayout) -> np.dtype:
    kind = column.type
    while pa.types.is_nested(kind):
        kind = kind.value_type
    return layout.dtype if pa.types.is_null(kind) else np.dtype(kind.to_pandas_dtype())
