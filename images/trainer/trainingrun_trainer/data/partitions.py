"""Columns that are written in the names of folders, as in `year=2024/month=1/part-0.parquet` (Hive, Spark, pandas).

Pure functions of paths: a task can tell its file's values without having seen the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

import pyarrow as pa

_NULL = "__HIVE_DEFAULT_PARTITION__"
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


def partition_types(paths: Iterable[str], root: str) -> dict[str, pa.DataType]:
    """The columns in the names of folders below `root`: whole numbers where all values are, else text."""
    values: dict[str, set[str]] = {}
    for folder in {path.rpartition("/")[0] for path in paths}:
        for name, value in _pairs(folder, root):
            values.setdefault(name, set()).add(value)
    return {
        name: pa.int64() if all(_WHOLE_NUMBER.fullmatch(v) for v in found - {_NULL}) else pa.string()
        for name, found in values.items()
    }


def partition_values(path: str, root: str) -> dict[str, pa.Scalar]:
    """The values of one file, as text or null; a column that its path lacks is not there."""
    pairs = _pairs(path.rpartition("/")[0], root)
    return {name: pa.scalar(None if value == _NULL else value, pa.string()) for name, value in pairs}


def _pairs(folder: str, root: str) -> list[tuple[str, str]]:
    """Names and values. What lies above the folder that a run names tells its rows apart from no others."""
    parts = (part.partition("=") for part in folder.removeprefix(root).split("/"))
    return [(unquote(name), unquote(value)) for name, equals, value in parts if equals and name]
