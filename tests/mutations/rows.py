"""Reads and writes the rows of an example's data, so that a mutation can change them whatever their format is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


@dataclass
class Rows:
    """Columns as lists of plain values. `types` are Arrow's; a column that is left out there gets a type that fits.

    A folder of pictures has the columns `image` (a list of lists) and `label` (the folder's name).
    """

    columns: dict[str, list[Any]]
    types: dict[str, pa.DataType]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def change(self, name: str, function: Callable[[Any], Any], rows: slice = slice(None)) -> None:
        """Replace the values of a column; its type may become another."""
        values = self.columns[name]
        values[rows] = [function(value) for value in values[rows]]

    def retype(self, name: str, kind: pa.DataType | None) -> None:
        """Give a column another type, or (None) whatever fits its values."""
        self.types.pop(name, None)
        if kind is not None:
            self.types[name] = kind

    def take(self, places: Any) -> None:
        """Keep these rows, in this order."""
        self.columns = {name: [values[place] for place in places] for name, values in self.columns.items()}


def deep(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`function` for a number, or for each number of nested lists."""

    def apply(value: Any) -> Any:
        return [apply(item) for item in value] if isinstance(value, list) else function(value)

    return apply


def with_leaf(kind: pa.DataType, leaf: pa.DataType) -> pa.DataType:
    """`kind` with another type of its numbers, however deep in lists."""
    return pa.list_(with_leaf(kind.value_type, leaf)) if pa.types.is_list(kind) else leaf


def read(folder: Path, form: str) -> Rows:
    """The rows below `folder`, which are in one file or are pictures."""
    if form == "Images":
        files = sorted(folder.glob("*/*.png"))
        pictures = [np.asarray(Image.open(file)).tolist() for file in files]
        return Rows({"image": pictures, "label": [file.parent.name for file in files]}, {})
    (file,) = folder.iterdir()
    if form == "CSV":
        frame = pd.read_csv(file)
        return Rows({name: frame[name].tolist() for name in frame}, {})
    table = pq.read_table(file)
    return Rows(table.to_pydict(), dict(zip(table.column_names, table.schema.types, strict=True)))


def write(folder: Path, form: str, rows: Rows) -> None:
    """Replace what is below `folder`."""
    shutil.rmtree(folder)
    folder.mkdir()
    if form == "Images":
        for place, (picture, name) in enumerate(zip(rows.columns["image"], rows.columns["label"], strict=True)):
            (folder / name).mkdir(exist_ok=True)
            Image.fromarray(np.array(picture, np.uint8)).save(folder / name / f"{place:05d}.png")
    elif form == "CSV":
        pd.DataFrame(rows.columns).to_csv(folder / "rows.csv", index=False)
    else:
        columns = {name: pa.array(values, rows.types.get(name)) for name, values in rows.columns.items()}
        pq.write_table(pa.table(columns), folder / "rows.parquet", row_group_size=256)
