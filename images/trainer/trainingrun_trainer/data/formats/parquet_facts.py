"""What is kept of a Parquet file's footer while a dataset is listed: a dataset can have 100,000 files.

A footer is several kilobytes for each file and grows with columns times row groups. Reads no files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from trainingrun_trainer.data.formats.parquet_files import with_leaves


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file: its schema, rows and bytes of each row group, and what its columns hold.

    `nulls` counts those of a row group that has some, by column; `with_nulls` also has columns with nulls further down.
    `lengths` has up to two different numbers of values a row for columns of lists.
    """

    schema: pa.Schema
    groups: tuple[tuple[int, int], ...]
    nulls: dict[str, int]
    with_nulls: frozenset[str]
    lengths: dict[str, tuple[float, ...]]

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return sum(rows for rows, _ in self.groups)


def facts_of(footers: Iterable[pq.FileMetaData], columns: Collection[str] | None) -> Iterator[FileFacts]:
    """The facts of each file, of these columns or of all; neighbours with one schema share it."""
    schema: pa.Schema | None = None
    for footer, places in with_leaves(footers, columns):
        found = footer.schema.to_arrow_schema()
        # What is kept of an array's shape; the rest, such as the index of pandas, differs from file to file.
        shapes = {k: v for k, v in (found.metadata or {}).items() if k.endswith((b".shape", b".dtype"))}
        found = found.with_metadata(shapes)
        if schema is None or not schema.equals(found, check_metadata=True):
            schema = found
        yield _facts(footer, places, schema)


def _facts(footer: pq.FileMetaData, places: list[tuple[int, str]], schema: pa.Schema) -> FileFacts:
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    nulls: dict[str, int] = {}
    with_nulls: set[str] = set()
    lengths: dict[str, tuple[float, ...]] = {}
    for place, name in places:
        columns = [group.column(place) for group in groups]
        count = next(filter(None, map(_null_count, columns)), 0)
        if count:
            with_nulls.add(name)
        # Further down, an empty list counts as a null.
        if columns and columns[0].path_in_schema == name:
            if count:
                nulls[name] = count
            continue
        found = {c.num_values / g.num_rows for c, g in zip(columns, groups, strict=True) if g.num_rows}
        lengths[name] = tuple(sorted({*lengths.get(name, ()), *found})[:2])
    sizes = tuple((group.num_rows, group.total_byte_size) for group in groups)
    return FileFacts(schema, sizes, nulls, frozenset(with_nulls), lengths)


def _null_count(column: pq.ColumnChunkMetaData) -> int:
    """Nulls as the footer counts them; 0 where it does not."""
    count: int = column.statistics.null_count if column.is_stats_set and column.statistics.has_null_count else 0
    return count
