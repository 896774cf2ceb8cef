"""Parquet: a piece is a row group, since that is what Parquet can read on its own."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from trainingrun_trainer.data import READ_BYTES
from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.files import File, find_files, root_of
from trainingrun_trainer.data.formats.parquet_facts import FileFacts, facts_of
from trainingrun_trainer.data.formats.parquet_files import opened, read_footer, with_leaves
from trainingrun_trainer.data.found import Found
from trainingrun_trainer.data.nested_lists import is_list_of_numbers
from trainingrun_trainer.data.nulls import with_nulls
from trainingrun_trainer.data.partitions import partition_types, partition_values
from trainingrun_trainer.data.schemas import FileSchema, conform, joined, with_partitions
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration

_FOOTER_READERS = 16
# Footers that are in memory at most; a pool reads on however many wait to be looked at.
_FOOTERS = 512
_WIDTHS = {"INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}
_SIZELESS = ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
# Texts of which the file holds each once have any size in memory: so few rows are decoded before it is looked at.
_UNSURE_ROWS = 256


class Parquet:
    """Row groups of Parquet files, local or remote."""

    suffixes: tuple[str, ...] = (".parquet", ".pq")

    def find(self, source: Source) -> Found:
        """One piece per row group; row counts come from the footers, which also proves the files readable."""
        files = find_files(source.field + ".path", source.path, self.suffixes)
        used = None if source.columns is None else {*source.columns, *source.required}
        with ThreadPoolExecutor(_FOOTER_READERS) as pool:
            portions = (files[first : first + _FOOTERS] for first in range(0, len(files), _FOOTERS))
            footers = (pool.map(lambda file: _footer(source, file), portion) for portion in portions)
            facts = list(facts_of(itertools.chain.from_iterable(footers), used))
        paths = [file.path for file in files]
        known = list(zip(paths, facts, strict=True))
        root = root_of(source.path)
        schema, notices = joined(source, with_partitions(_schemas(known), paths, root))
        _refuse_nulls(source, known)
        ragged = _ragged(facts, {field.name for field in schema if is_list_of_numbers(field.type)})
        schema = with_nulls(schema, _with_nulls(facts, set(schema.names) - set(partition_types(paths, root))))
        groups = ((path, *group) for path, file in known for group in enumerate(file.groups))
        pieces = [
            Piece(index=index, paths=(path,), row_group=number, rows=rows, size_bytes=size)
            for index, (path, number, (rows, size)) in enumerate(groups)
        ]
        return Found(dataclasses.replace(source, schema=schema, ragged=ragged), pieces, notices)

    def read(self, source: Source, piece: Piece, table_bytes: int = READ_BYTES) -> Iterator[pa.Table]:
        """The row group in tables of bounded size."""
        path = piece.paths[0]
        constants = partition_values(path, root_of(source.path))
        try:
            with opened(path) as file:
                names = set(file.schema_arrow.names)
                names = names if source.schema is None else names & set(source.schema.names)
                # One thread: a data task is given one CPU, and the others run tasks of their own.
                batches = file.iter_batches(
                    batch_size=_rows_at_once(file.metadata, piece.row_group, names, table_bytes),
                    row_groups=[piece.row_group],
                    columns=sorted(names),
                    use_threads=False,
                )
                tables = (conform(pa.Table.from_batches([b]), source.schema, path, constants) for b in batches)
                yield from _of_bounded_size(tables, table_bytes)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{path}: row group {piece.row_group} cannot be read: {error}") from error


def _schemas(known: list[tuple[str, FileFacts]]) -> Iterator[FileSchema]:
    """What each file says. A file without rows says nothing, if others have some."""
    has_rows = any(facts.rows for _, facts in known)
    return (FileSchema(path, facts.schema) for path, facts in known if facts.rows or not has_rows)


def _refuse_nulls(source: Source, known: list[tuple[str, FileFacts]]) -> None:
    """Raise InvalidConfiguration where a footer says that a column without which there is no training has nulls."""
    for path, facts in known:
        for name, count in facts.nulls.items():
            if name in source.required:
                raise InvalidConfiguration(
                    f'{source.field}: {path}: column "{name}" has {count} nulls in a row '
                    "group, allowed: none; fill them, or leave these rows out, in a transform on the data group"
                )


def _with_nulls(files: list[FileFacts], names: set[str]) -> set[str]:
    """The columns that have a null in some file, or are not in it."""
    found: set[str] = set()
    for facts in files:
        found |= facts.with_nulls & names
        found |= names.difference(facts.schema.names) if facts.rows else set()
    return found


def _ragged(files: list[FileFacts], names: Collection[str]) -> frozenset[str]:
    """The list columns whose number of values is not one multiple of the rows everywhere."""
    lengths = {name: {length for facts in files for length in facts.lengths.get(name, ())} for name in names}
    return frozenset(name for name, found in lengths.items() if len(found) > 1 or any(n % 1 for n in found))


def _rows_at_once(footer: pq.FileMetaData, number: int | None, names: Collection[str], table_bytes: int) -> int:
    """How many rows take about `table_bytes` in memory, where a number has its width however few bits the file uses."""
    group = footer.row_group(number)
    ((_, places),) = with_leaves([footer], names)
    columns = [group.column(place) for place, _ in places]
    size = sum(max(c.total_uncompressed_size, c.num_values * _WIDTHS.get(c.physical_type, 0)) for c in columns)
    rows: int = max(1, table_bytes // max(1, size // max(1, group.num_rows)))
    is_sure = not any(c.physical_type in _SIZELESS and c.dictionary_page_offset is not None for c in columns)
    most: int = max(1, group.num_rows)
    return min(rows if is_sure else min(rows, _UNSURE_ROWS), most)


def _of_bounded_size(tables: Iterable[pa.Table], most_bytes: int) -> Iterator[pa.Table]:
    """The same rows in tables of at most about `most_bytes`: small ones are put together, large ones are cut."""
    gathered: list[pa.Table] = []
    size = 0
    for table in tables:
        rows = max(1, table.num_rows * most_bytes // max(table.nbytes, most_bytes))
        for start in range(0, table.num_rows, rows):
            part = table.slice(start, rows)
            if gathered and size + part.nbytes > most_bytes:
                yield pa.concat_tables(gathered).combine_chunks()
                gathered, size = [], 0
            gathered.append(part)
            size += part.nbytes
    if gathered:
        yield pa.concat_tables(gathered).combine_chunks()


def _footer(source: Source, file: File) -> pq.FileMetaData:
    try:
        return read_footer(file.path)
    except (OSError, pa.ArrowException) as error:
        raise InvalidConfiguration(
            f'{source.field}.path: "{file.path}" ({file.size_bytes} bytes) is not a readable Parquet file: {error}'
        ) from error
