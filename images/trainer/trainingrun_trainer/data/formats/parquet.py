"""Parquet: a piece is a row group, since that is what Parquet can read on its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from trainingrun_trainer.data import READ_BYTES
from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.files import File, find_files, is_local, open_file
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration

_FOOTER_READERS = 16
_WIDTHS = {"INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}


class Parquet:
    """Row groups of Parquet files, local or remote."""

    def list_pieces(self, source: Source) -> list[Piece]:
        """One piece per row group; row counts come from the footers, which also proves the files readable."""
        files = find_files(source.field + ".path", source.path, (".parquet", ".pq"))
        with ThreadPoolExecutor(_FOOTER_READERS) as pool:
            footers = list(pool.map(lambda file: _footer(source, file), files))
        pieces: list[Piece] = []
        for file, footer in zip(files, footers, strict=True):
            for number in range(footer.num_row_groups):
                group = footer.row_group(number)
                pieces.append(
                    Piece(
                        index=len(pieces),
                        paths=(file.path,),
                        row_group=number,
                        rows=group.num_rows,
                        size_bytes=group.total_byte_size,
                    )
                )
        return pieces

    def read(self, source: Source, piece: Piece) -> Iterator[pa.Table]:
        """The row group in tables of bounded size."""
        path = piece.paths[0]
        try:
            with _open(path) as file:
                row_bytes = max(1, _decoded_bytes(file.metadata.row_group(piece.row_group)) // max(1, piece.rows or 1))
                # One thread: a data task is given one CPU, and the others run tasks of their own.
                for batch in file.iter_batches(
                    batch_size=max(1, min(piece.rows or 1, READ_BYTES // row_bytes)),
                    row_groups=[piece.row_group],
                    use_threads=False,
                ):
                    yield pa.Table.from_batches([batch])
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{path}: row group {piece.row_group} cannot be read: {error}") from error


def _open(path: str) -> pq.ParquetFile:
    if is_local(path):
        return pq.ParquetFile(path, memory_map=True)
    return pq.ParquetFile(open_file(path), pre_buffer=True)


def _decoded_bytes(group: pq.RowGroupMetaData) -> int:
    """About the bytes in memory: a number takes its width there, however few bits it takes in the file."""
    columns = (group.column(number) for number in range(group.num_columns))
    return sum(
        max(column.total_uncompressed_size, column.num_values * _WIDTHS.get(column.physical_type, 0))
        for column in columns
    )


def _footer(source: Source, file: File) -> pq.FileMetaData:
    try:
        with _open(file.path) as opened:
            return opened.metadata
    except (OSError, pa.ArrowException) as error:
        raise InvalidConfiguration(
            f'{source.field}.path: "{file.path}" ({file.size_bytes} bytes) is not a readable Parquet file: {error}'
        ) from error
