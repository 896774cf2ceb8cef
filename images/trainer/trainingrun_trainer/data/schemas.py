"""One schema for all files of a dataset, so that every task makes the same tables whatever single files say.

Types are only ever widened, and only to one that holds every value: whole numbers to fractions, nulls to anything.
What cannot be joined is reported by column and file; who needs the column decides what that means. Reads nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from trainingrun_trainer.data.layout import layouts_of
from trainingrun_trainer.data.partitions import partition_types, partition_values
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration, LayoutError

_SHOWN_COLUMNS = 20


@dataclass(frozen=True)
class FileSchema:
    """What one file, or one block of it, says of its columns; `conflicts` are those without one type, with why."""

    path: str
    schema: pa.Schema
    conflicts: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Every column, with a type or without one."""
        return list(dict.fromkeys([*self.schema.names, *self.conflicts]))


def joined(source: Source, files: Iterable[FileSchema]) -> tuple[pa.Schema, tuple[str, ...]]:
    """The schema of the columns to read, and notices about those that are left out or not in every file.

    Raises InvalidConfiguration where a column that is asked for, or that training cannot do without, is missing in a
    file or cannot have one type.
    """
    different = _different(files)
    names = dict.fromkeys(name for file in different for name in file.names)
    refuse_missing(source, list(names))
    fields: list[pa.Field] = []
    notices: list[str] = []
    for name in names:
        if source.columns is not None and name not in source.columns:
            continue
        lacking = next((file.path for file in different if name not in file.names), None)
        if lacking is not None:
            if name in source.required:
                raise InvalidConfiguration(f"{source.field}: {_missing(lacking, name, different)}")
            notices.append(f'{source.field}: column "{name}" is null where a file has none, as {lacking}')
        try:
            fields.append(_joined_field(name, [file for file in different if name in file.names]))
        except LayoutError as error:
            if name in source.required or (source.columns is not None and name in source.columns):
                raise InvalidConfiguration(f"{source.field}: {error}") from error
            notices.append(f"{source.field}: {error}; the column is left out")
    first = different[0].schema if different else pa.schema([])
    return pa.schema(fields, metadata=first.metadata), tuple(notices)


def merged(path: str, blocks: Iterable[FileSchema]) -> FileSchema:
    """The schema of one file from those of its blocks."""
    different = _different(blocks)
    conflicts = {name: why for block in different for name, why in block.conflicts.items()}
    fields: list[pa.Field] = []
    for name in dict.fromkeys(name for block in different for name in block.schema.names):
        try:
            fields.append(_joined_field(name, [block for block in different if name in block.names]))
        except LayoutError as error:
            conflicts.setdefault(name, str(error).partition(f'column "{name}": ')[2])
    return FileSchema(path, pa.schema([f for f in fields if f.name not in conflicts]), conflicts)


def with_partitions(files: Iterable[FileSchema], paths: Iterable[str], root: str) -> Iterator[FileSchema]:
    """The same files with the columns that the names of their folders below `root` hold; these go before a file's.

    `paths` are those of all files, since their values together tell a column's type.
    """
    types = partition_types(paths, root)
    for file in files:
        schema = file.schema
        for name in partition_values(file.path, root):
            column = pa.field(name, types[name])
            place = schema.get_field_index(name)
            schema = schema.append(column) if place < 0 else schema.set(place, column)
        yield dataclasses.replace(file, schema=schema)


def typed_like(schema: pa.Schema, other: pa.Schema) -> pa.Schema:
    """The schema with the types of `other` for those columns whose values these hold: fractions hold whole numbers."""
    fields = []
    for column in schema:
        place = other.get_field_index(column.name)
        wider = _wider(column.type, other.field(place).type) if place >= 0 else None
        fields.append(column.with_type(wider) if place >= 0 and wider == other.field(place).type else column)
    return pa.schema(fields, metadata=schema.metadata)


def refuse_missing(source: Source, names: list[str]) -> None:
    """Raise InvalidConfiguration where no file has a column that is asked for, or that training cannot do without."""
    found = _shown(names)
    for column in source.required:
        if column not in names:
            is_headless = source.format == "CSV" and _numbers(names)
            hint = "; the first line of a CSV file names the columns" if is_headless else ""
            raise InvalidConfiguration(
                f'{source.field}: column "{column}" is missing; found {found}{hint}. Name the columns with '
                "spec.recipe.dataset.inputColumns and targetColumns, or make them with a transform"
            )
        if source.columns is not None and column not in source.columns:
            raise InvalidConfiguration(
                f'spec.recipe.dataset.columns: found no "{column}", which is an input or target column; allowed: every '
                "input and target column, and others"
            )
    made = (*source.inputs, *source.targets)  # a transform may make them
    for column in source.columns or ():
        if column not in names and column not in made:
            raise InvalidConfiguration(
                f'spec.recipe.dataset.columns: column "{column}" is in no file of "{source.path}"; found {found}'
            )
    for column in source.column_types or ():
        if column not in names:
            raise InvalidConfiguration(
                f'{source.field}.schema: column "{column}" is in no file of "{source.path}"; found {found}'
            )


def conform(table: pa.Table, schema: pa.Schema | None, path: str, constants: dict[str, pa.Scalar]) -> pa.Table:
    """The table with exactly the columns and types of `schema`: `constants` and nulls where the file has none.

    Raises DataError where a value does not fit, which only a file can cause that has changed since it was looked at.
    """
    if schema is None:
        return table
    columns = []
    for wanted in schema:
        if wanted.name in constants:
            columns.append(pa.repeat(constants[wanted.name].cast(wanted.type), table.num_rows))
        elif wanted.name in table.column_names:
            columns.append(_cast(table.column(wanted.name), wanted, path))
        else:
            columns.append(pa.nulls(table.num_rows, wanted.type))
    return pa.Table.from_arrays(columns, schema=schema)


def plain(kind: pa.DataType) -> pa.DataType:
    """The type of the values: of categories, what they are called."""
    return plain(kind.value_type) if pa.types.is_dictionary(kind) else kind


def _joined_field(name: str, files: list[FileSchema]) -> pa.Field:
    """One field for all of these files. Raises LayoutError."""
    for file in files:
        if name in file.conflicts:
            raise LayoutError(f'{file.path}: column "{name}": {file.conflicts[name]}')
        if len(file.schema.get_all_field_indices(name)) > 1:
            raise LayoutError(f'{file.path}: has two columns "{name}", allowed: one')
    result = _plain_field(files[0].schema.field(name))
    layout = _layout(files[0], name)
    for file in files[1:]:
        field, other = _plain_field(file.schema.field(name)), _layout(file, name)
        if (layout or other) and layout != other:
            raise LayoutError(
                f'{file.path}: column "{name}": found {other or field.type}, expected {layout or result.type} as in '
                f"{files[0].path}"
            )
        if field.type == result.type:
            continue
        wider = _wider(result.type, field.type)
        if wider is None:
            raise LayoutError(
                f'{file.path}: column "{name}": found {field.type}, expected {result.type} as in {files[0].path}'
            )
        result = result.with_type(wider)
    return result.with_nullable(True)


def _wider(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """The type that holds the values of both, or None."""
    try:
        pair = [pa.schema([("", first)]), pa.schema([("", second)])]
        return pa.unify_schemas(pair, promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None


def _plain_field(field: pa.Field) -> pa.Field:
    return field.with_type(plain(field.type))


def _layout(file: FileSchema, name: str) -> object:
    return layouts_of(pa.schema([file.schema.field(name)], metadata=file.schema.metadata)).get(name)


def _different(files: Iterable[FileSchema]) -> list[FileSchema]:
    """The files whose schema no earlier one has: a dataset of ten thousand files usually has one."""
    found: dict[tuple[bytes, tuple[str, ...]], FileSchema] = {}
    for file in files:
        found.setdefault((file.schema.serialize().to_pybytes(), tuple(file.conflicts)), file)
    return list(found.values())


def _cast(column: pa.ChunkedArray, field: pa.Field, path: str) -> pa.ChunkedArray:
    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f'{path}: column "{field.name}": found {column.type}, expected {field.type}: {error}'
        ) from error


def _missing(path: str, name: str, files: list[FileSchema]) -> str:
    found = next(file.names for file in files if file.path == path)
    return f'{path}: column "{name}" is missing; found {_shown(found)}'


def _shown(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN_COLUMNS]) + (", …" if len(names) > _SHOWN_COLUMNS else "")


def _numbers(names: list[str]) -> bool:
    return all(name.strip().lstrip("+-").replace(".", "", 1).isdigit() for name in names)
