"""CSV and JSON lines: a piece is a file, read in blocks by Arrow's own streaming readers."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.csv
import pyarrow.json

from trainingrun_trainer.data import READ_BYTES
from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.files import find_files, open_file
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError


class Csv:
    """Comma-separated values with a header line; `.gz` and friends are decompressed by their name."""

    def list_pieces(self, source: Source) -> list[Piece]:
        """One piece per file."""
        return _files(source, (".csv", ".csv.gz", ".csv.bz2", ".csv.zst"))

    def read(self, source: Source, piece: Piece) -> Iterator[pa.Table]:
        """The rows in tables of bounded size."""
        options = pyarrow.csv.ReadOptions(block_size=READ_BYTES // 4, use_threads=False)
        yield from _read(piece, lambda stream: pyarrow.csv.open_csv(stream, read_options=options))


class Json:
    """One JSON object per line; nested lists of numbers are arrays."""

    def list_pieces(self, source: Source) -> list[Piece]:
        """One piece per file."""
        return _files(source, (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz"))

    def read(self, source: Source, piece: Piece) -> Iterator[pa.Table]:
        """The rows in tables of bounded size."""
        options = pyarrow.json.ReadOptions(block_size=READ_BYTES // 4, use_threads=False)
        yield from _read(piece, lambda stream: pyarrow.json.open_json(stream, read_options=options))


def _files(source: Source, suffixes: tuple[str, ...]) -> list[Piece]:
    files = find_files(source.field + ".path", source.path, suffixes)
    return [Piece(index=i, paths=(file.path,), size_bytes=file.size_bytes) for i, file in enumerate(files)]


def _read(piece: Piece, open_stream) -> Iterator[pa.Table]:  # type: ignore[no-untyped-def]
    path = piece.paths[0]
    if piece.size_bytes == 0:  # Arrow refuses an empty file; to a reader it is one without rows
        return
    try:
        with (
            pa.input_stream(open_file(path), compression=_compression(path)) as stream,
            open_stream(stream) as reader,
        ):
            for batch in reader:
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: {error}") from error


def _compression(path: str) -> str | None:
    suffixes = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
    return next((name for suffix, name in suffixes.items() if path.endswith(suffix)), None)
