"""Datasets made from a seed: types x nesting x nulls x ragged x sizes x formats, with what a reader must make of them.

The values are told by pandas, pyarrow and the json module, never by this project's readers. Use: `generate(seed,
folder)` writes a dataset and returns it; `Generated.columns` has each column's values, `Generated.types` its type.
"""

from __future__ import annotations

import datetime
import decimal
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Values = list[Any]
Make = Callable[[np.random.Generator, int], Values]


@dataclass(frozen=True)
class Generated:
    """A dataset on disk: its format, and of each column the values in the order of the files, and its Arrow type."""

    format: str
    folder: Path
    columns: dict[str, Values]
    types: dict[str, pa.DataType]

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))


def generate(seed: int, folder: Path) -> Generated:
    """Write the dataset of `seed` to `folder`, which must be empty."""
    rng = np.random.default_rng(seed)
    write = (_parquet, _csv, _json)[seed % 3]
    files = [int(rng.integers(1, 40)) for _ in range(int(rng.integers(1, 5)))]
    return write(rng, folder, files)


def _parquet(rng: np.random.Generator, folder: Path, files: list[int]) -> Generated:
    kinds = _chosen(rng, list(_PARQUET))
    types = {name: _PARQUET[kind][0] for name, kind in kinds.items()}
    columns = {name: _sprinkled(rng, kind, _PARQUET[kind][1](rng, sum(files))) for name, kind in kinds.items()}
    start = 0
    for place, rows in enumerate(files):
        part = {name: pa.array(values[start : start + rows], types[name]) for name, values in columns.items()}
        path = folder / f"part-{place}.parquet"
        pq.write_table(pa.table(part), path, row_group_size=int(rng.integers(1, 50)))
        start += rows
    plain = {name: kind.value_type if pa.types.is_dictionary(kind) else kind for name, kind in types.items()}
    return Generated("Parquet", folder, columns, plain)


def _csv(rng: np.random.Generator, folder: Path, files: list[int]) -> Generated:
    kinds = _chosen(rng, list(_CSV))
    columns = {name: _CSV[kind](rng, sum(files)) for name, kind in kinds.items()}
    frame = pd.DataFrame(columns, dtype=object)
    start = 0
    for place, rows in enumerate(files):
        frame.iloc[start : start + rows].to_csv(folder / f"part-{place}.csv", index=False)
        start += rows
    # One file with all rows is what pandas has types for; "NA" and friends are texts here.
    whole = pd.read_csv(io.StringIO(frame.to_csv(index=False)), keep_default_na=False, na_values=[""])
    types = {name: _of_pandas(whole[name]) for name in columns}
    values = {name: [None if pd.isna(v) else v for v in whole[name].tolist()] for name in columns}
    return Generated("CSV", folder, values, types)


def _json(rng: np.random.Generator, folder: Path, files: list[int]) -> Generated:
    kinds = _chosen(rng, list(_JSON))
    columns = {name: _sprinkled(rng, kind, _JSON[kind][1](rng, sum(files))) for name, kind in kinds.items()}
    start = 0
    for place, rows in enumerate(files):
        lines = []
        for row in range(start, start + rows):
            known = {name: values[row] for name, values in columns.items()}
            # A key without a value may as well be missing.
            lines.append(json.dumps({k: v for k, v in known.items() if v is not None or rng.random() < 0.5}))
        (folder / f"part-{place}.jsonl").write_text("\n".join(lines) + "\n")
        start += rows
    types = {name: _of_json(_JSON[kind][0], columns[name]) for name, kind in kinds.items()}
    return Generated("JSON", folder, columns, types)


def _of_json(kind: pa.DataType, values: Values) -> pa.DataType:
    """The type where the fractions that make a column one of fractions may have become nulls."""
    return (
        kind if "." in json.dumps(values) else {_FLOATS: pa.list_(pa.int64()), pa.float64(): pa.int64()}.get(kind, kind)
    )


def _chosen(rng: np.random.Generator, kinds: list[str]) -> dict[str, str]:
    chosen = rng.choice(kinds, size=int(rng.integers(2, 7)))
    return {f"{kind} {place}": str(kind) for place, kind in enumerate(chosen)}


def _sprinkled(rng: np.random.Generator, kind: str, values: Values) -> Values:
    """Some columns get nulls, few of them at the start: a sample of the first rows does not show them all."""
    if kind == "nulls" or rng.random() < 0.6:
        return values
    share = rng.choice([0.02, 0.5])
    return [None if rng.random() < share else value for value in values]


def _of_pandas(series: pd.Series) -> pa.DataType:
    if series.dtype == object and series.map(lambda value: isinstance(value, bool) or pd.isna(value)).all():
        return pa.bool_()
    return {"b": pa.bool_(), "i": pa.int64(), "u": pa.uint64(), "f": pa.float64()}.get(series.dtype.kind, pa.string())


def _whole(low: int, high: int) -> Make:
    return lambda rng, rows: rng.integers(low, high, rows, dtype=np.int64).tolist()


def _fractions(digits: int) -> Make:
    """Fractions that every type of this many binary digits holds exactly."""
    return lambda rng, rows: (rng.integers(-(2**digits), 2**digits, rows) / 2 ** (digits - 2)).tolist()


def _late(first: Make, then: Make) -> Make:
    """Values of one kind, and of another only near the end."""

    def make(rng: np.random.Generator, rows: int) -> Values:
        few = max(1, rows // 10)
        return first(rng, rows)[: rows - few] + then(rng, few)

    return make


def _texts(rng: np.random.Generator, rows: int) -> Values:
    words = np.array(
        ["cat", "dog", "NA", "null", "a,b", 'say "hi"', "two\nlines", "2020-01-01", "1e", "Ünïcode", " x "]
    )
    return [f"{word}" for word in rng.choice(words, rows)]


def _arrays(shape: tuple[int, ...], values: Make) -> Make:
    def make(rng: np.random.Generator, rows: int) -> Values:
        flat = values(rng, rows * int(np.prod(shape)))
        return np.array(flat, dtype=object).reshape(rows, *shape).tolist()

    return make


def _ragged(values: Make, shortest: int) -> Make:
    return lambda rng, rows: [values(rng, int(rng.integers(shortest, 6))) for _ in range(rows)]


def _structs(rng: np.random.Generator, rows: int) -> Values:
    return [{"a": number, "b": text} for number, text in zip(_whole(0, 9)(rng, rows), _texts(rng, rows), strict=True)]


def _dates(rng: np.random.Generator, rows: int) -> Values:
    day = datetime.datetime(2020, 1, 1)
    return [day + datetime.timedelta(minutes=int(n)) for n in rng.integers(0, 10**6, rows)]


def _decimals(rng: np.random.Generator, rows: int) -> Values:
    return [decimal.Decimal(int(n)) / 100 for n in rng.integers(-(10**6), 10**6, rows)]


_BITS: Make = lambda rng, rows: (rng.random(rows) < 0.5).tolist()  # noqa: E731
_ANY = _whole(-(2**62), 2**62)
_FRACTIONS = _fractions(20)
_PARQUET: dict[str, tuple[pa.DataType, Make]] = {
    "bool": (pa.bool_(), _BITS),
    "int8": (pa.int8(), _whole(-128, 128)),
    "uint8": (pa.uint8(), _whole(0, 256)),
    "int16": (pa.int16(), _whole(-(2**15), 2**15)),
    "uint32": (pa.uint32(), _whole(0, 2**32)),
    "int64": (pa.int64(), _ANY),
    "uint64": (pa.uint64(), lambda rng, rows: [n * 2 for n in _whole(0, 2**62)(rng, rows)]),
    "float16": (pa.float16(), _fractions(8)),
    "float32": (pa.float32(), _FRACTIONS),
    "float64": (pa.float64(), _FRACTIONS),
    "text": (pa.string(), _texts),
    "large text": (pa.large_string(), _texts),
    "categories": (pa.dictionary(pa.int8(), pa.string()), _texts),
    "dates": (pa.timestamp("us"), _dates),
    "decimals": (pa.decimal128(12, 2), _decimals),
    "structs": (pa.struct([("a", pa.int64()), ("b", pa.string())]), _structs),
    "nulls": (pa.null(), lambda rng, rows: [None] * rows),
    "small lists": (pa.list_(pa.int64()), _arrays((3,), _whole(0, 256))),
    "lists": (pa.list_(pa.int32()), _arrays((4,), _whole(-(2**31), 2**31))),
    "fixed lists": (pa.list_(pa.float32(), 2), _arrays((2,), _FRACTIONS)),
    "pictures": (pa.list_(pa.list_(pa.uint8())), _arrays((2, 3), _whole(0, 256))),
    "large lists": (pa.large_list(pa.float64()), _arrays((2,), _FRACTIONS)),
    "lists of bits": (pa.list_(pa.bool_()), _arrays((2,), _BITS)),
    "ragged": (pa.list_(pa.int64()), _ragged(_ANY, 1)),
    "ragged or empty": (pa.list_(pa.float32()), _ragged(_FRACTIONS, 0)),
    "late ragged": (pa.list_(pa.int64()), _late(_arrays((3,), _ANY), _ragged(_ANY, 4))),
    "tags": (pa.list_(pa.string()), _ragged(_texts, 0)),
    "ragged rows": (pa.list_(pa.list_(pa.int16())), _ragged(_arrays((2,), _whole(0, 9)), 1)),
}
_CSV: dict[str, Make] = {
    "whole": _ANY,
    "fractions": _FRACTIONS,
    "late fractions": _late(_whole(-1000, 1000), _FRACTIONS),
    "late text": _late(_whole(0, 9), _texts),
    "bool": _BITS,
    "late bool": _late(_whole(0, 9), _BITS),
    "text": _texts,
    "empty now and then": _late(_whole(0, 9), lambda rng, rows: [None] * rows),
    "text with gaps": _late(_texts, lambda rng, rows: [None] * rows),
    "unsigned": _late(_whole(0, 9), lambda rng, rows: [2**64 - 1] * rows),
}
_FLOATS = pa.list_(pa.float64())
_JSON: dict[str, tuple[pa.DataType, Make]] = {
    "whole": (pa.int64(), _ANY),
    "fractions": (pa.float64(), _FRACTIONS),
    "late fractions": (pa.float64(), _late(_whole(-1000, 1000), _FRACTIONS)),
    "bool": (pa.bool_(), _BITS),
    "text": (pa.string(), _texts),
    "dates as text": (pa.string(), lambda rng, rows: ["2020-01-01"] * rows),
    "lists": (pa.list_(pa.int64()), _arrays((3,), _whole(0, 256))),
    "late fractions in lists": (_FLOATS, _late(_arrays((2,), _whole(0, 9)), _arrays((2,), _FRACTIONS))),
    "pictures": (pa.list_(pa.list_(pa.int64())), _arrays((2, 3), _whole(0, 256))),
    "ragged": (pa.list_(pa.int64()), _ragged(_ANY, 1)),
    "late ragged": (pa.list_(pa.int64()), _late(_arrays((3,), _ANY), _ragged(_ANY, 4))),
    "structs": (pa.struct([("a", pa.int64()), ("b", pa.string())]), _structs),
}
