"""Opens Parquet files so that no more is read than the columns and row groups that are asked for.

A remote file's footer is read once in a process: each row group needs it, and a file can have hundreds. Local files
are not mapped into memory: a file that is cut or replaced under a mapping ends the process without a word.
"""

from __future__ import annotations

import contextlib
import io
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from trainingrun_trainer.data.files import is_local, open_file

_END = 8  # the footer's length in four bytes, and four of magic
_KEPT_FOOTERS = 16
# A footer is looked for in this part of a file's end; a second read gets what is longer.
_FIRST_LOOK = 64
# What is read of a column at once: a request to a store takes as long for one byte as for a million.
_LOCAL = 1 << 20
_REMOTE = 4 << 20
# Each column has a buffer of its own, as large as this at least and all of them together as `_MOST` columns' at most.
_LEAST = 64 << 10
_MOST = 8
_footers: OrderedDict[tuple[str, int], pq.FileMetaData] = OrderedDict()


@contextlib.contextmanager
def opened(path: str) -> Iterator[pq.ParquetFile]:
    """The file at `path`. Raises OSError or pa.ArrowException.

    Its column chunks are read through buffers: without them Arrow loads a chunk whole, however large it is.
    """
    if is_local(path):
        footer = pq.read_metadata(path)
        with pq.ParquetFile(path, metadata=footer, pre_buffer=False, buffer_size=_buffer(footer, _LOCAL)) as file:
            yield file
        return
    with open_file(path, random=True) as stream:
        footer = _footer(path, stream)
        with pq.ParquetFile(stream, metadata=footer, pre_buffer=False, buffer_size=_buffer(footer, _REMOTE)) as file:
            yield file


def read_footer(path: str) -> pq.FileMetaData:
    """The metadata of the file at `path`. Raises OSError or pa.ArrowException."""
    with opened(path) as file:
        return file.metadata


def with_leaves(
    footers: Iterable[pq.FileMetaData], names: Collection[str] | None
) -> Iterator[tuple[pq.FileMetaData, list[tuple[int, str]]]]:
    """Each footer with the places of the columns in its file that hold values of `names`, and which of these it is.

    None stands for all columns of the file.
    """
    schema: pq.ParquetSchema | None = None
    found: list[tuple[int, str]] = []
    for footer in footers:
        if schema is None or not footer.schema.equals(schema):
            schema = footer.schema
            known = schema.to_arrow_schema().names if names is None else names
            tops = ((place, _top_level(schema.column(place).path, known)) for place in range(len(schema)))
            found = [(place, name) for place, name in tops if name is not None]
        yield footer, found


def _top_level(path: str, names: Collection[str]) -> str | None:
    """Which of `names` a path such as `ids.list.element` begins with; names may have dots in them."""
    parts = path.split(".")
    heads = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((head for head in heads if head in names), None)


def _buffer(footer: pq.FileMetaData, column_bytes: int) -> int:
    columns: int = footer.num_columns
    return max(_LEAST, min(column_bytes, _MOST * column_bytes // max(1, columns)))


def _footer(path: str, stream: IO[bytes]) -> pq.FileMetaData:
    size = stream.seek(0, io.SEEK_END)
    if (path, size) not in _footers:
        _footers[path, size] = pq.read_metadata(pa.BufferReader(_end_of(stream, size)))
        if len(_footers) > _KEPT_FOOTERS:
            _footers.popitem(last=False)
    _footers.move_to_end((path, size))
    return _footers[path, size]


def _end_of(stream: IO[bytes], size: int) -> bytes:
    """The footer and what follows it: all that a reader of metadata looks at."""
    end = _last(stream, size, max(_END, size // _FIRST_LOOK))
    length = int.from_bytes(end[-_END:-4], "little") + _END
    return end if length <= len(end) or length > size else _last(stream, size, length)


def _last(stream: IO[bytes], size: int, count: int) -> bytes:
    stream.seek(max(0, size - count))
    return stream.read(count)
