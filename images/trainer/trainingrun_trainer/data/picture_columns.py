"""Columns of pictures on their way from a file to the decoder: rows that carry their own bytes, or a path, and a name.

So that a picture can be decoded, and an error can name its file and row, wherever its row has travelled to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainingrun_trainer.data.fetching import fetched
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError

_WHERE = "__trainingrun_where"
# A path of this machine from its root, or a URI.
_ABSOLUTE = r"^(/|[A-Za-z][A-Za-z0-9+.-]*:)"


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture as it is stored, or why it cannot be had. `where` is how a message names it."""

    where: str
    data: bytes | DataError

    def content(self) -> bytes:
        """The bytes. Raises DataError naming the row where there are none."""
        if isinstance(self.data, DataError):
            raise self.data
        return self.data


def is_encoded(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold encoded pictures: `binary`, or `struct<bytes, path>` of Hugging Face."""
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and is_encoded(kind.field(place).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold paths."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_carried(kind: pa.DataType) -> bool:
    """Whether a column of this type is one that `carried` or `column_of` has made."""
    return bool(pa.types.is_struct(kind) and kind.get_field_index(_WHERE) >= 0)


def carried_columns(table: pa.Table) -> list[str]:
    """The columns whose pictures are still to be decoded."""
    return [field.name for field in table.schema if is_carried(field.type)]


def carried(source: Source, path: str, table: pa.Table, first: int) -> pa.Table:
    """The table of the file at `path` with its columns of pictures in the form that travels; the bytes are not copied.

    `first` is the place of its first row in the piece. A path that does not begin with a scheme or `/` counts from
    the folder of the file.
    """
    for name in source.picture_columns:
        place = table.schema.get_field_index(name)
        kind = table.schema.field(place).type if place >= 0 else pa.null()
        if is_carried(kind):
            continue
        if is_encoded(kind):
            stored = _whole(table.column(place))
            data = pc.struct_field(stored, "bytes") if pa.types.is_struct(kind) else stored
            paths = pa.nulls(len(data), pa.string())
        elif is_text(kind) and name == source.path_column:
            paths = _absolute(path, _whole(table.column(place)))
            data = pa.nulls(len(paths), pa.binary())
        else:
            continue
        rows = pa.array(np.arange(first, first + len(data))).cast(pa.string())
        where = pc.binary_join_element_wise(f"{path}: column {name}, row ", rows, "")
        table = table.set_column(place, name, _struct(data, paths, where))
    return table


def column_of(
    where: Sequence[str], *, data: Sequence[bytes] | None = None, paths: Sequence[str] | None = None
) -> pa.Array:
    """A column of pictures in the form that travels: their bytes, or the absolute paths of their files."""
    count = len(where)
    return _struct(
        pa.nulls(count, pa.binary()) if data is None else pa.array(data, pa.binary()),
        pa.nulls(count, pa.string()) if paths is None else pa.array(paths, pa.string()),
        pa.array(where, pa.string()),
    )


def pictures_of(column: pa.Array | pa.ChunkedArray) -> Iterator[Encoded]:
    """The pictures of a column in the form that travels, in its order. Those of paths are fetched on the way."""
    paths = pc.struct_field(column, "path").to_pylist()
    files = fetched(path for path in paths if path is not None)
    values, names = pc.struct_field(column, "bytes"), pc.struct_field(column, _WHERE).to_pylist()
    for where, path, value in zip(names, paths, values, strict=True):
        if path is not None:
            where = where if where == path else f"{where}: {path}"
            yield Encoded(where, _refused(where, next(files)))
        elif value.is_valid:
            yield Encoded(where, value.as_py())
        else:
            yield Encoded(where, DataError(f"{where}: found no picture, expected the bytes or the path of one"))


def is_here(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Which rows of a column in the form that travels need not be fetched, as booleans of (rows,)."""
    here: np.ndarray = pc.is_null(pc.struct_field(column, "path")).to_numpy(zero_copy_only=False)
    return here


def _refused(where: str, content: bytes | Exception) -> bytes | DataError:
    if isinstance(content, bytes):
        return content
    error = DataError(f"{where}: cannot be read: {str(content) or type(content).__name__}")
    error.__cause__ = content
    return error


def _absolute(table: str, paths: pa.Array) -> pa.Array:
    folder = table.rpartition("/")[0]
    texts = paths.cast(pa.string())
    below = pc.binary_join_element_wise(folder, texts, "/")
    return pc.if_else(pc.match_substring_regex(texts, _ABSOLUTE), texts, below)


def _struct(data: pa.Array, paths: pa.Array, where: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays([data, paths, where], ["bytes", "path", _WHERE])


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array: those of single tables are far smaller than Arrow's limit."""
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
