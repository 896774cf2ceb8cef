"""Looks through CSV files before anything is started: their headers, what their values are, and how many rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from trainingrun_trainer.data.files import File
from trainingrun_trainer.data.formats.text_stream import BLOCK_BYTES, text_stream
from trainingrun_trainer.data.formats.text_types import SeenValues, arrow_type
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import InvalidConfiguration

# What is more is read once more, with as many names as there are columns.
_USUAL_COLUMNS = 256
# What Arrow says of an empty file; to a reader it is one without rows.
_NOTHING = "Empty CSV file"
EMPTY = [""]  # the one form of a missing value; "NA" is a text


@dataclass
class CsvFile:
    """One file: its header, what was seen of its columns, and its rows, None where it was not read to its end."""

    path: str
    names: list[str]
    seen: dict[str, SeenValues] = field(default_factory=dict)
    rows: int | None = None


def scan(source: Source, file: File, *, whole: bool) -> CsvFile:
    """Look through `file`, or only at its first block. Raises InvalidConfiguration."""
    batches = _texts(file.path, whole=whole)
    try:
        first = next(batches, None)
        found = CsvFile(file.path, _header(source, file.path, first))
        rows = -1  # the header
        while first is not None:
            _add(source, found, first.slice(1) if rows < 0 else first, max(rows, 0))
            rows += first.num_rows
            first = next(batches, None)
    except (OSError, ValueError, pa.ArrowException) as error:
        if str(error) == _NOTHING:
            return CsvFile(file.path, [], rows=0)
        raise InvalidConfiguration(f"{source.field}: {file.path}: {error}") from error
    found.rows = max(0, rows) if whole else None
    return found


def parse_options(path: str) -> pyarrow.csv.ParseOptions:
    """How the file at `path` is written: a field in quotes may have several lines."""
    return pyarrow.csv.ParseOptions(delimiter="\t" if ".tsv" in path else ",", newlines_in_values=True)


def _texts(path: str, *, whole: bool) -> Iterator[pa.RecordBatch]:
    """The file's blocks with every field as text, the header among the rows."""
    columns = _USUAL_COLUMNS
    while True:
        with text_stream(path) as stream:
            reader = pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(
                    block_size=BLOCK_BYTES, use_threads=False, autogenerate_column_names=True
                ),
                parse_options=parse_options(path),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={f"f{place}": pa.string() for place in range(columns)},
                    null_values=EMPTY,
                    strings_can_be_null=True,
                    check_utf8=False,
                ),
            )
            if len(reader.schema) <= columns:
                for batch in reader:
                    yield batch
                    if not whole:
                        return
                return
            columns = len(reader.schema)


def _header(source: Source, path: str, first: pa.RecordBatch | None) -> list[str]:
    if first is None or not first.num_rows:
        return []
    names = [str(first.column(place)[0].as_py() or "") for place in range(first.num_columns)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    used = [name for name in repeated if source.columns is None or name in source.columns]
    if used:
        raise InvalidConfiguration(
            f'{source.field}: {path}: its header has {names.count(used[0])} columns "{used[0]}", allowed: one'
        )
    return names


def _add(source: Source, found: CsvFile, batch: pa.RecordBatch, first_row: int) -> None:
    for place, name in enumerate(found.names):
        if source.columns is not None and name not in source.columns:
            continue
        values = batch.column(place)
        if values.null_count and name in source.without_nulls:
            row = first_row + pc.index(pc.is_null(values), True).as_py()
            raise InvalidConfiguration(
                f'{source.field}: {found.path}: column "{name}", row {row}: found an empty field, expected a value; '
                "fill them, or leave these rows out, in a transform on the data group"
            )
        try:
            values.validate(full=True)
        except pa.ArrowInvalid as error:
            raise InvalidConfiguration(
                f'{source.field}: {found.path}: column "{name}" holds bytes that are no UTF-8, in which text must be'
            ) from error
        declared = (source.column_types or {}).get(name)
        if declared is None:
            found.seen.setdefault(name, SeenValues()).add(values)
        else:
            _check(source, found.path, name, values, declared)


def _check(source: Source, path: str, name: str, values: pa.Array, declared: str) -> None:
    place = f"{source.field}.schema.{name}"
    kind = arrow_type(declared)
    if pa.types.is_list(kind):
        raise InvalidConfiguration(f"{place}: found {declared}, allowed with CSV: types without lists")
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return
    try:
        # No text is converted to half floats; what one cannot hold becomes infinite, as anywhere.
        pc.ascii_trim_whitespace(values).cast(pa.float32() if pa.types.is_float16(kind) else kind)
    except pa.ArrowInvalid as error:
        raise InvalidConfiguration(f"{place}: found values in {path} that are no {declared}: {error}") from error
