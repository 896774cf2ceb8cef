"""Tables: DataFrames, and the files that pandas and Arrow read.

Columns of lists become arrays; text, bytes and numbers stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trainingrun_trainer.convert.columns import Column, Columns
from trainingrun_trainer.convert.errors import ConvertError
from trainingrun_trainer.convert.rows import RowStacker
from trainingrun_trainer.convert.sources import Indexed, Naming, Source, Stream, from_arrays, require_input
from trainingrun_trainer.data.layout import ArrayLayout, infer_list_layout, layouts_of, to_numpy

SUFFIXES = frozenset({".parquet", ".csv", ".json", ".jsonl", ".pkl", ".pickle"})
# A list of 8-byte integers takes 8 times what its picture takes: few rows at a time bound the memory.
PARQUET_ROWS = 256
FRAME_ROWS = 4096


def from_file(path: Path, naming: Naming) -> Source:
    """Return the rows of a table file. A pickle runs code while it is read: only open ones you trust."""
    if path.suffix == ".parquet":
        return _from_parquet(path, naming)
    import pandas

    try:
        if path.suffix == ".csv":
            frame = pandas.read_csv(path)
        elif path.suffix in {".json", ".jsonl"}:
            frame = pandas.read_json(path, lines=path.suffix == ".jsonl")
        else:
            frame = pandas.read_pickle(path)  # noqa: S301
    except Exception as error:  # Whatever is wrong with the file, pandas has no common error for it.
        raise ConvertError(f"{path}: pandas cannot read it: {error}") from error
    if not isinstance(frame, pandas.DataFrame):
        raise ConvertError(f"{path}: found {type(frame).__name__}, allowed: a pickled DataFrame")
    return from_frame(frame, naming)


def from_frame(frame: Any, naming: Naming) -> Indexed:
    """Return the rows of a pandas DataFrame, without its index.

    Columns of lists, arrays, tensors or pictures are turned into one array each, beside what the frame holds.
    """
    names = [str(name) for name in frame.columns]
    require_input(names, naming)
    if not len(frame):
        return Indexed(0, lambda numbers: {})
    stacker = naming.stacker()
    arrays = {name: _frame_column(stacker, name, frame.iloc[:, position]) for position, name in enumerate(names)}
    already_resized = Naming(naming.input_column, naming.target_column)
    return from_arrays(arrays, already_resized)


def _frame_column(stacker: RowStacker, name: str, series: Any) -> Column:
    if isinstance(series.dtype, np.dtype) and not series.dtype.hasobject:
        plain: Column = series.to_numpy()
        return plain
    result: Column | None = None
    for start in range(0, len(series), FRAME_ROWS):
        values = series.iloc[start : start + FRAME_ROWS].to_numpy(dtype=object, na_value=None).tolist()
        part = stacker.column(name, values, range(start, start + len(values)))
        if result is None:
            result = np.empty((len(series), *part.shape[1:]), part.dtype)
        if part.dtype != result.dtype:
            raise ConvertError(f"column {name}, rows from {start}: found {part.dtype}, expected {result.dtype}")
        result[start : start + len(values)] = part
    if result is None:
        raise ConvertError(f"column {name}: found no rows")
    return result


def _from_parquet(path: Path, naming: Naming) -> Stream:
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ConvertError(f"{path}: not a readable Parquet file: {error}") from error
    require_input(file.schema_arrow.names, naming)
    return Stream(_parquet_chunks(file, naming))


def _parquet_chunks(file: pq.ParquetFile, naming: Naming) -> Iterator[Columns]:
    layouts = layouts_of(file.schema_arrow)
    stacker = naming.stacker()
    start = 0
    for batch in file.iter_batches(batch_size=PARQUET_ROWS):
        columns = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            layout = layouts.get(name) or infer_list_layout(column, name=name)
            if layout is not None:
                layouts[name] = layout
            columns[name] = _parquet_column(stacker, naming, name, column, layout, start)
        yield columns
        start += len(batch)


def _parquet_column(
    stacker: RowStacker, naming: Naming, name: str, column: pa.Array, layout: ArrayLayout | None, start: int
) -> Column:
    indices = range(start, start + len(column))
    if layout is not None:
        array = to_numpy(column, layout, name=name, first_row=start)
        resized = name == naming.input_column and naming.pictures.given
        return stacker.column(name, list(array), indices) if resized else array
    if column.null_count == 0 and pa.types.is_primitive(column.type):
        plain: Column = column.to_numpy(zero_copy_only=False)
        return plain
    return stacker.column(name, column.to_pylist(), indices)
