"""Chunks of rows written as Parquet files of bounded size and bounded row groups."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainingrun_trainer.convert.chunks import rows_within
from trainingrun_trainer.convert.destinations import Destination
from trainingrun_trainer.convert.shuffle import Arranged
from trainingrun_trainer.data.layout import schema_of

MIB = 1024 * 1024
FILE_BYTES = 96 * MIB
ROW_GROUP_BYTES = 32 * MIB
ROW_GROUP_ROWS = 16_384
# So many readers and trainers find work at once, as soon as there are enough rows that a file is worth opening; before
# that, a file has so many row groups.
PARALLEL_FILES = 8
WORTH_A_FILE = 1024
# Every epoch decodes what is written once: MNIST-like pictures take 180 bytes instead of 784 and decode at 3.8 million
# rows/s on a core; zstd takes 130 and decodes at 1.9 million, snappy is larger and slower than both.
COMPRESSION: dict[str, Any] = {"compression": "lz4"}


@dataclass(frozen=True)
class Sizes:
    """Rows of a file, and of a row group in it."""

    file_rows: int
    row_group_rows: int


@dataclass
class Written:
    """What lies in the destination: rows, bytes on disk, and the names of the files."""

    rows: int = 0
    size: int = 0
    files: list[str] = field(default_factory=list)
    schema: pa.Schema | None = None


def sizes_for(
    table: pa.Table, arranged: Arranged, *, file_rows: int | None = None, row_group_rows: int | None = None
) -> Sizes:
    """Return sizes for rows like these: files of at most 96 MiB, row groups of at most 32 MiB.

    There are at least 8 files when there are at least 8 x 1024 rows, and 8 row groups when there are fewer.
    """
    largest = rows_within(FILE_BYTES, table, at_most=max(1, FILE_BYTES))
    even = max(WORTH_A_FILE, -(-arranged.at_least // PARALLEL_FILES))
    most = ROW_GROUP_ROWS
    if arranged.rows is not None and arranged.rows < PARALLEL_FILES * WORTH_A_FILE:
        even = arranged.rows
        most = max(1, -(-arranged.rows // PARALLEL_FILES))
    file_rows = file_rows or max(1, min(largest, even))
    group = row_group_rows or rows_within(ROW_GROUP_BYTES, table, at_most=most)
    return Sizes(file_rows, min(group, file_rows))


def write_parts(
    chunks: Iterator[pa.Table],
    destination: Destination,
    sizes: Sizes,
    metadata: dict[str, str],
    on_progress: Callable[[int], None],
) -> Written:
    """Write all chunks, of one schema, as part-00000.parquet and so on; reports the rows written after each group."""
    written = Written()
    numbered = _row_groups(chunks, sizes)
    for number, groups in itertools.groupby(numbered, key=itemgetter(0)):
        name = f"part-{number:05d}.parquet"
        with destination.part(name) as path:
            _write_file(path, (table for _, table in groups), metadata, written, on_progress)
            written.size += path.stat().st_size
        written.files.append(name)
    return written


def _write_file(
    path: Path,
    tables: Iterator[pa.Table],
    metadata: dict[str, str],
    written: Written,
    on_progress: Callable[[int], None],
) -> None:
    first = next(tables)
    schema = written.schema = written.schema or schema_of(first.schema, metadata)
    with pq.ParquetWriter(path, schema, **_encoding(schema)) as writer:
        for table in itertools.chain([first], tables):
            writer.write_table(table.replace_schema_metadata(schema.metadata), row_group_size=len(table))
            written.rows += len(table)
            on_progress(written.rows)


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    # A dictionary of arrays, or their minimum and maximum, is as large as the arrays and helps nobody.
    scalars = [field.name for field in schema if not pa.types.is_fixed_size_binary(field.type)]
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    return {"use_dictionary": texts or False, "write_statistics": scalars or False, **COMPRESSION}


def _row_groups(chunks: Iterator[pa.Table], sizes: Sizes) -> Iterator[tuple[int, pa.Table]]:
    """Yield the number of a file and a row group of it, cut and joined from the chunks."""
    waiting: list[pa.Table] = []
    have, number, file_left = 0, 0, sizes.file_rows
    for chunk in chunks:
        waiting.append(chunk)
        have += chunk.num_rows
        while have >= (need := min(sizes.row_group_rows, file_left)):
            joined = pa.concat_tables(waiting)
            yield number, joined.slice(0, need)
            waiting, have = [joined.slice(need)], have - need
            file_left -= need
            if not file_left:
                number, file_left = number + 1, sizes.file_rows
    if have:
        yield number, pa.concat_tables(waiting)


def class_metadata(classes: Sequence[str], rows: int | None) -> dict[str, str]:
    """Return what the files say of the whole dataset: class names, and the rows where they are known."""
    metadata = {"trainingrun.classes": json.dumps(list(classes))} if classes else {}
    return metadata | ({"trainingrun.rows": str(rows)} if rows is not None else {})
