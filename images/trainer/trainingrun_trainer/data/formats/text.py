"""CSV and JSON lines: a piece is a file, read in blocks by Arrow's own streaming readers.

All files are looked through first, since none of them tells its columns' types: see `text_types`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa
import pyarrow.csv
import pyarrow.json

from trainingrun_trainer.data import READ_BYTES
from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.files import File, find_files, root_of
from trainingrun_trainer.data.formats import csv_scan, json_scan
from trainingrun_trainer.data.formats.text_stream import BLOCK_BYTES, text_stream
from trainingrun_trainer.data.formats.text_types import SeenValues, arrow_type, with_declared
from trainingrun_trainer.data.found import Found
from trainingrun_trainer.data.nulls import with_nulls
from trainingrun_trainer.data.partitions import partition_values
from trainingrun_trainer.data.schemas import FileSchema, conform, joined, with_partitions
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration

_SCANNERS = 8
# Files are looked through to their ends up to so many bytes together; of others only the first block.
SCANNED_BYTES = 256 << 20
_Scanned = TypeVar("_Scanned", csv_scan.CsvFile, json_scan.JsonFile)


class Csv:
    """Values separated by commas, or tabs in `.tsv`, with a header line; `.gz` and friends are decompressed."""

    suffixes: tuple[str, ...] = tuple(f".{kind}{end}" for kind in ("csv", "tsv") for end in ("", ".gz", ".bz2", ".zst"))

    def find(self, source: Source) -> Found:
        """One piece per file, with the types that all files' values fit."""
        files = _files(source, self.suffixes)
        scanned = _scan_all(source, files, csv_scan.scan)
        seen: dict[str, SeenValues] = {}
        for file in scanned:
            for name, values in file.seen.items():
                seen.setdefault(name, SeenValues()).kinds.update(values.kinds)
        is_whole = all(file.rows is not None for file in scanned)
        types = {name: values.type(is_whole=is_whole) for name, values in seen.items()}
        types.update({name: arrow_type(text) for name, text in (source.column_types or {}).items()})
        schemas = [
            FileSchema(file.path, pa.schema([(name, types.get(name, pa.null())) for name in file.names]))
            for file in scanned
            if file.names
        ]
        return _found(source, files, schemas, [file.rows for file in scanned], frozenset())

    def read(self, source: Source, piece: Piece, table_bytes: int = READ_BYTES) -> Iterator[pa.Table]:
        """The rows in tables of a block each: a smaller block might not hold a row."""
        path = piece.paths[0]
        fields = _in_file(source, path)
        types = {field.name: pa.float32() if pa.types.is_float16(field.type) else field.type for field in fields}
        options = {
            "read_options": pyarrow.csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
            "parse_options": csv_scan.parse_options(path),
            "convert_options": pyarrow.csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                include_missing_columns=True,
                null_values=csv_scan.EMPTY,
                strings_can_be_null=True,
            ),
        }
        yield from _read(source, piece, lambda stream: pyarrow.csv.open_csv(stream, **options))


class Json:
    """One JSON object per line; nested lists of numbers are arrays."""

    suffixes: tuple[str, ...] = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz")

    def find(self, source: Source) -> Found:
        """One piece per file, with the types that all files' values fit."""
        files = _files(source, self.suffixes)
        scanned = _scan_all(source, files, json_scan.scan)
        shapes: dict[str, set[tuple[int, ...] | None]] = {}
        for file in scanned:
            for name, of_file in file.shapes.items():
                shapes.setdefault(name, set()).update(of_file)
        ragged = frozenset(name for name, seen in shapes.items() if len(seen) > 1 or None in seen)
        schemas = [file.schema for file in scanned if file.schema.schema.names]
        found = _found(source, files, schemas, [file.rows for file in scanned], ragged)
        return dataclasses.replace(found, source=_with_nulls(found.source, scanned))

    def read(self, source: Source, piece: Piece, table_bytes: int = READ_BYTES) -> Iterator[pa.Table]:
        """The rows in tables of a block each: a smaller block might not hold a row."""
        read = pyarrow.json.ReadOptions(block_size=BLOCK_BYTES, use_threads=False)
        parse = pyarrow.json.ParseOptions(
            explicit_schema=pa.schema(_in_file(source, piece.paths[0])), unexpected_field_behavior="ignore"
        )
        yield from _read(
            source, piece, lambda stream: pyarrow.json.open_json(stream, read_options=read, parse_options=parse)
        )


def _files(source: Source, suffixes: tuple[str, ...]) -> list[File]:
    return find_files(source.field + ".path", source.path, suffixes)


def _scan_all(source: Source, files: list[File], scan: Callable[..., _Scanned]) -> list[_Scanned]:
    ends = itertools.accumulate(file.size_bytes for file in files)
    jobs = [(file, end <= SCANNED_BYTES) for file, end in zip(files, ends, strict=True)]
    with ThreadPoolExecutor(_SCANNERS) as pool:
        return list(pool.map(lambda job: scan(source, job[0], whole=job[1]), jobs))


def _found(
    source: Source, files: list[File], schemas: list[FileSchema], rows: Iterable[int | None], ragged: frozenset[str]
) -> Found:
    if not schemas:
        raise InvalidConfiguration(
            f'{source.field}.path: "{source.path}" has {len(files)} files but no rows; allowed: at least one row'
        )
    schema, notices = joined(source, with_partitions(schemas, [f.path for f in files], root_of(source.path)))
    schema = with_declared(schema, source.column_types or {})
    pieces = [
        Piece(index=index, paths=(file.path,), size_bytes=file.size_bytes, rows=count)
        for index, (file, count) in enumerate(zip(files, rows, strict=True))
    ]
    return Found(dataclasses.replace(source, schema=schema, ragged=ragged), pieces, notices)


def _with_nulls(source: Source, files: list[json_scan.JsonFile]) -> Source:
    """The source with a mark on columns that have no value in some row."""
    values = sum((file.values for file in files), Counter[str]())
    names = {name for file in files for name in file.schema.names}
    rows = sum(file.rows or 0 for file in files)
    schema = with_nulls(source.schema or pa.schema([]), {name for name in names if values[name] < rows})
    return dataclasses.replace(source, schema=schema)


def _in_file(source: Source, path: str) -> list[pa.Field]:
    """The columns to read that are not in the path's folders."""
    constants = partition_values(path, root_of(source.path))
    return [field for field in source.schema or () if field.name not in constants]


def _read(
    source: Source, piece: Piece, open_stream: Callable[[pa.NativeFile], Iterable[pa.RecordBatch]]
) -> Iterator[pa.Table]:
    path = piece.paths[0]
    if piece.rows == 0:  # Arrow refuses an empty file
        return
    constants = partition_values(path, root_of(source.path))
    try:
        with text_stream(path) as stream:
            for batch in open_stream(stream):
                yield conform(pa.Table.from_batches([batch]), source.schema, path, constants)
    except (OSError, pa.ArrowException) as error:
        names = f"; {source.field}.schema can name types" if isinstance(error, pa.ArrowInvalid) else ""
        raise DataError(f"{path}: {error}{names}") from error
