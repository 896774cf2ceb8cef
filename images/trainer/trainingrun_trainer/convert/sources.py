"""What a conversion reads from, in two forms: rows that can be asked for by number, and rows that pass once.

Every source ends up as one of them, so shuffling and writing need not know where rows come from. Nothing here
opens a file.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.convert.chunks import rows_within
from trainingrun_trainer.convert.errors import ConvertError, SourceFailed
from trainingrun_trainer.convert.images import PictureFormat
from trainingrun_trainer.convert.rows import RowStacker, Where, row_number
from trainingrun_trainer.data.layout import from_numpy

STREAM_CHUNK_BYTES = 4 * 1024 * 1024
STREAM_CHUNK_ROWS = 1024
Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Naming:
    """The columns' names, and what pictures are made into."""

    input_column: str = "image"
    target_column: str = "label"
    pictures: PictureFormat = field(default_factory=PictureFormat)

    def stacker(self, where: Where = row_number) -> RowStacker:
        """Return what turns rows into columns of these names."""
        return RowStacker(self.input_column, self.target_column, self.pictures, where)


@dataclass(frozen=True)
class Indexed:
    """Rows that can be read in any order; `read` takes their numbers, in 0..rows-1.

    `is_typed`: one row tells the types of all.
    """

    rows: int
    read: Callable[[Numbers], pa.Table]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_typed: bool = False


@dataclass(frozen=True)
class Stream:
    """Rows that can be read once, in their own order. `ragged` lists are known to differ in length."""

    chunks: Iterator[pa.Table]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    ragged: frozenset[str] = frozenset()


Source = Indexed | Stream


def from_arrays(arrays: Mapping[str, Any], naming: Naming) -> Indexed:
    """Return a source of arrays of shape (rows, ...), in memory or mapped from a file.

    Arrays of another length than the input's are left out, with a note: archives hold other splits too.
    """
    whole = {name: np.asarray(array) for name, array in arrays.items()}
    require_input(whole, naming)
    rows = len(whole[naming.input_column])
    kept = {name: array for name, array in whole.items() if array.ndim and len(array) == rows}
    left_out = [name for name in whole if name not in kept]
    if naming.target_column in left_out:
        raise ConvertError(
            f"column {naming.target_column}: found {whole[naming.target_column].size} rows, expected {rows} "
            f"as in {naming.input_column}"
        )
    notes = [f"skipped {', '.join(left_out)}: not {rows} rows long"] if left_out else []
    stacker = naming.stacker()

    def column(name: str, array: np.ndarray[Any, Any], numbers: Numbers) -> tuple[pa.Field, pa.Array]:
        is_resized = name == naming.input_column and naming.pictures.given
        if is_resized or array.dtype.hasobject:
            return stacker.column(name, list(array[numbers]), numbers.tolist())
        return from_numpy(name, array[numbers])

    def read(numbers: Numbers) -> pa.Table:
        columns = [column(name, array, numbers) for name, array in kept.items()]
        return pa.table([array for _, array in columns], schema=pa.schema([field for field, _ in columns]))

    is_typed = not any(array.dtype.hasobject for array in kept.values())
    return Indexed(rows, read, notes=tuple(notes), is_typed=is_typed)


def from_items(items: Any, naming: Naming, *, classes: Sequence[str] = (), where: Where = row_number) -> Indexed:
    """Return a source of anything with a length whose rows are got by number: a list, a torch Dataset."""
    stacker = naming.stacker(where)

    def read(numbers: Numbers) -> pa.Table:
        indices = numbers.tolist()
        return stacker.stack([_item(items, index, where) for index in indices], indices)

    return Indexed(len(items), read, tuple(classes))


def from_rows(rows: Iterable[Any], naming: Naming, *, classes: Sequence[str] = ()) -> Stream:
    """Return a source of rows that pass once."""
    return Stream(_stacked(iter(rows), naming.stacker()), tuple(classes))


def require_input(names: Iterable[str], naming: Naming) -> None:
    """Raise ConvertError when the input column is not among the names."""
    found = list(names)
    if naming.input_column not in found:
        raise ConvertError(
            f"found no column {naming.input_column} among {', '.join(map(str, found)) or 'none'}; "
            "name the right one with --input-column"
        )


def _stacked(rows: Iterator[Any], stacker: RowStacker) -> Iterator[pa.Table]:
    """Yield chunks of a few MiB; the first is one row, which tells how many make that."""
    start, size = 0, 1
    while chunk := _next_rows(rows, size, start):
        table = stacker.stack(chunk, range(start, start + len(chunk)))
        start += len(chunk)
        size = rows_within(STREAM_CHUNK_BYTES, table, at_most=STREAM_CHUNK_ROWS)
        yield table


def _item(items: Any, index: int, where: Where) -> Any:
    try:
        return items[index]
    except ConvertError:
        raise
    except Exception as error:
        raise SourceFailed(f"{where(index)}: the source raised {type(error).__name__}: {error}") from error


def _next_rows(rows: Iterator[Any], size: int, start: int) -> list[Any]:
    try:
        return list(itertools.islice(rows, size))
    except Exception as error:
        where = f"rows from {row_number(start)}"
        raise SourceFailed(f"{where}: the source raised {type(error).__name__}: {error}") from error
