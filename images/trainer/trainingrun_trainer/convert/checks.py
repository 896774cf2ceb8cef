"""Every chunk checked before it is ordered and written: same columns, same types, a target in every row.

Without this, NumPy would cast a chunk of another type silently when it is copied next to the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from trainingrun_trainer.convert.columns import Columns, count
from trainingrun_trainer.convert.errors import ConvertError
from trainingrun_trainer.convert.sources import Indexed, Naming, Source, require_input


def checked(source: Source, naming: Naming) -> Source:
    """Return the source with every chunk checked, and integer targets as int64, which losses expect."""
    check = _Check(naming)
    if not isinstance(source, Indexed):
        return replace(source, chunks=_nonempty(source.chunks, check))
    read = source.read

    def read_checked(numbers: np.ndarray[Any, np.dtype[np.int64]]) -> Columns:
        return check(read(numbers))

    return replace(source, read=read_checked)


class _Check:
    def __init__(self, naming: Naming):
        self._naming = naming
        self._expected: dict[str, str] = {}

    def __call__(self, columns: Columns) -> Columns:
        columns = _whole_targets(columns, self._naming.target_column)
        found = {name: _described(columns, name) for name in columns}
        if not self._expected:
            require_input(columns, self._naming)
            self._expected = found
        for name in self._expected.keys() | found.keys():
            if found.get(name) != self._expected.get(name):
                raise ConvertError(
                    f"column {name}: found {found.get(name, 'no such column')}, "
                    f"expected {self._expected.get(name, 'no such column')} as in the rows before"
                )
        return columns


def _nonempty(chunks: Iterator[Columns], check: _Check) -> Iterator[Columns]:
    for columns in chunks:
        if count(columns):
            yield check(columns)


def _described(columns: Columns, name: str) -> str:
    column = columns[name]
    kind = "text or bytes" if column.dtype.hasobject else str(column.dtype)
    return kind + (f" of shape {'x'.join(map(str, column.shape[1:]))}" if column.ndim > 1 else "")


def _whole_targets(columns: Columns, target_column: str) -> Columns:
    target = columns.get(target_column)
    if target is None:
        return columns
    if target.dtype.hasobject:
        gaps = any(value is None for value in target)
    else:
        gaps = target.dtype.kind == "f" and bool(np.isnan(target).any())
    if gaps:
        raise ConvertError(f"column {target_column}: found a row without a value, expected one in every row")
    if target.dtype.kind not in "iu":
        return columns
    if target.dtype == np.uint64 and int(target.max()) > np.iinfo(np.int64).max:
        raise ConvertError(f"column {target_column}: found {target.max()}, allowed: up to 2^63 - 1")
    return {**columns, target_column: target.astype(np.int64, copy=False)}
