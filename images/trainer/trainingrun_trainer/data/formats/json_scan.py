"""Looks through JSON files before anything is started: the types of their columns, and how many rows they have."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from trainingrun_trainer.data.files import File
from trainingrun_trainer.data.formats.text_stream import blocks_of_lines, text_stream
from trainingrun_trainer.data.formats.text_types import arrow_type, normal
from trainingrun_trainer.data.layout import infer_list_layout
from trainingrun_trainer.data.schemas import FileSchema, merged
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import InvalidConfiguration, LayoutError

_CHANGED = re.compile(r"Column\(/([^/)]+)[^)]*\) changed from (\w+) to (\w+) in row (\d+)")


@dataclass
class JsonFile:
    """One file: its columns, the shapes of its lists' rows, and its rows, None where it was not read to its end.

    A shape of None stands for rows that differ. `values` counts each column's values that are not null.
    """

    schema: FileSchema
    shapes: dict[str, set[tuple[int, ...] | None]] = field(default_factory=dict)
    values: Counter[str] = field(default_factory=Counter)
    rows: int | None = None


def scan(source: Source, file: File, *, whole: bool) -> JsonFile:
    """Look through `file`, or only at its first block. Raises InvalidConfiguration."""
    parts: list[FileSchema] = []
    found = JsonFile(FileSchema(file.path, pa.schema([])))
    rows = 0
    try:
        with text_stream(file.path) as stream:
            for block in blocks_of_lines(stream):
                table, conflicts = _table(source, block)
                _refuse_nulls(source, file.path, table, rows)
                _add_shapes(found, table)
                found.values.update(
                    {name: table.num_rows - table.column(name).null_count for name in table.column_names}
                )
                schema = pa.schema([f.with_type(normal(f.type)) for f in table.schema])
                parts.append(FileSchema(file.path, schema, conflicts))
                rows += table.num_rows
                if not whole:
                    break
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InvalidConfiguration(
            f"{source.field}: {file.path}: {error}; allowed: one JSON object on each line"
        ) from error
    found.schema = merged(file.path, parts)
    found.rows = rows if whole else None
    return found


def _table(source: Source, block: bytes) -> tuple[pa.Table, dict[str, str]]:
    """The rows of a block, and why columns are left out of them: their values have no type in common."""
    declared = pa.schema([(name, arrow_type(text)) for name, text in (source.column_types or {}).items()])
    conflicts: dict[str, str] = {}
    while True:
        try:
            table = pyarrow.json.read_json(
                io.BytesIO(block),
                read_options=pyarrow.json.ReadOptions(block_size=len(block) + 1, use_threads=False),
                parse_options=pyarrow.json.ParseOptions(explicit_schema=declared),
            )
            return table, conflicts
        except pa.ArrowInvalid as error:
            changed = _CHANGED.search(str(error))
            if changed is None:
                raise
            name, before, after, _ = changed.groups()
            if name in conflicts or name in declared.names:
                raise
            conflicts[name] = f"found {after}, expected {before} as before"
            block = _without(block, name)


def _without(block: bytes, name: str) -> bytes:
    rows = [json.loads(line) for line in block.splitlines() if line.strip()]
    return b"\n".join(json.dumps({k: v for k, v in row.items() if k != name}).encode() for row in rows)


def _refuse_nulls(source: Source, path: str, table: pa.Table, first_row: int) -> None:
    for name in source.without_nulls:
        if name in table.column_names and table.column(name).null_count:
            row = first_row + pc.index(pc.is_null(table.column(name)), True).as_py()
            raise InvalidConfiguration(
                f'{source.field}: {path}: column "{name}", row {row}: found null or no value, expected one; fill them, '
                "or leave these rows out, in a transform on the data group"
            )


def _add_shapes(found: JsonFile, table: pa.Table) -> None:
    for name in table.column_names:
        try:
            layout = infer_list_layout(table.column(name), name=name)
        except LayoutError:
            found.shapes.setdefault(name, set()).add(None)
        else:
            if layout is not None:
                found.shapes.setdefault(name, set()).add(layout.shape)
