"""Tables that are in memory already: DataFrames of pandas, pickled ones, and JSON files that are one array."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from trainingrun_trainer.convert.errors import ConvertError
from trainingrun_trainer.convert.sources import Indexed, Naming, Numbers, from_items, require_input
from trainingrun_trainer.data.files import open_file


def from_pickle(path: Path, naming: Naming) -> Indexed:
    """Return the rows of a pickled DataFrame. A pickle runs code while it is read: only open ones you trust."""
    import pandas

    try:
        frame = pandas.read_pickle(path)  # noqa: S301
    except Exception as error:  # Whatever is wrong with the file, pandas has no common error for it.
        raise ConvertError(f"{path}: pandas cannot read it: {error}") from error
    if not isinstance(frame, pandas.DataFrame):
        raise ConvertError(f"{path}: found {type(frame).__name__}, allowed: a pickled DataFrame")
    return from_frame(frame, naming)


def from_frame(frame: Any, naming: Naming) -> Indexed:
    """Return the rows of a pandas DataFrame, without its index, with the types that pandas writes them to Parquet with.

    Cells may also be arrays of any dimensions, tensors or pictures.
    """
    import numpy as np

    names = [str(name) for name in frame.columns]
    require_input(names, naming)
    stacker = naming.stacker()

    def column(name: str, series: Any, numbers: list[int]) -> tuple[pa.Field, pa.Array]:
        if isinstance(series.dtype, np.dtype) and series.dtype.hasobject:
            return stacker.column(name, series.to_numpy(dtype=object, na_value=None).tolist(), numbers)
        array = pa.Array.from_pandas(series)
        return pa.field(name, array.type), array

    def read(numbers: Numbers) -> pa.Table:
        rows = frame.iloc[numbers]
        columns = [column(name, rows.iloc[:, place], numbers.tolist()) for place, name in enumerate(names)]
        return pa.table([array for _, array in columns], schema=pa.schema([field for field, _ in columns]))

    return Indexed(len(frame), read)


def is_json_array(path: str) -> bool:
    """Tell whether a `.json` file is one array of objects and not one object on each line."""
    if not path.lower().endswith(".json"):
        return False
    with open_file(path) as file:
        return bool(file.read(1024).lstrip()[:1] == b"[")


def from_json_array(path: str, naming: Naming) -> Indexed:
    """Return the objects of a JSON array as rows; a key that an object lacks is null."""
    try:
        with open_file(path) as file:
            rows = json.load(file)
    except (OSError, ValueError) as error:
        raise ConvertError(f"{path}: not readable as JSON: {error}") from error
    if not all(isinstance(row, dict) for row in rows):
        raise ConvertError(f"{path}: found an array of other values, allowed: an array of objects")
    names = dict.fromkeys(name for row in rows for name in row)
    if rows:
        require_input(names, naming)
    return from_items([{name: row.get(name) for name in names} for row in rows], naming)
