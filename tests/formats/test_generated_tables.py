"""Whatever a dataset holds, it is read as it is stored: rows, values and types; pandas and pyarrow say which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from dataset_files import units_of
from generated_tables import Generated, generate

from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.layout import layouts_of, to_numpy
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.preparing import prepare_rows
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.source import Source, Uses
from trainingrun_trainer.failures.errors import InvalidConfiguration

SEEDS = pytest.mark.parametrize("seed", range(90))


def source_of(dataset: Generated, **settings: Any) -> Source:
    return Source("spec.recipe.dataset.train", dataset.format, str(dataset.folder), **settings)


def read(source: Source, *, shuffle: bool = False) -> pa.Table:
    """All rows in the order of the files."""
    listing = list_dataset(source)
    units = units_of(listing, Epoch(0, 0, shuffle))
    table = pa.concat_tables(prepare_rows(listing.source, listing.inspection.layouts, unit)[0] for unit in units)
    assert listing.rows == table.num_rows
    return table.take(np.argsort(table.column(ROW_ID).to_numpy())).drop_columns([ROW_ID])


def values_of(table: pa.Table, name: str) -> list[Any]:
    layout = layouts_of(table.schema).get(name)
    if layout is not None:
        return to_numpy(table.column(name), layout).tolist()
    values = table.column(name).to_pylist()
    return [None if isinstance(v, float) and np.isnan(v) else v for v in values]


def type_of(table: pa.Table, name: str) -> pa.DataType:
    """The type of the values, however deep they lie."""
    layout = layouts_of(table.schema).get(name)
    return pa.from_numpy_dtype(layout.dtype) if layout is not None else innermost(table.schema.field(name).type)


def innermost(kind: pa.DataType) -> pa.DataType:
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    return kind


def is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def shape_of(values: list[Any]) -> tuple[int, ...] | None:
    """The one shape of all rows; None where they differ, or one is missing."""
    try:
        array = np.array(values, dtype=float)
    except (ValueError, TypeError):
        return None
    return None if np.isnan(array).any() or 0 in array.shape else array.shape[1:]


@SEEDS
def test_hooks_get_every_column_as_it_is_stored(tmp_path: Path, seed: int) -> None:
    dataset = generate(seed, tmp_path)
    table = read(source_of(dataset), shuffle=seed % 2 == 0)
    for name, values in dataset.columns.items():
        if name not in table.column_names:
            assert dataset.format == "JSON" and all(value is None for value in values), name  # no file knows of it
            continue
        assert values_of(table, name) == values, name
        if any(value is not None for value in values):
            assert type_of(table, name) == innermost(dataset.types[name]), name


@SEEDS
def test_an_input_becomes_numbers_or_is_refused_by_name_before_anything_starts(tmp_path: Path, seed: int) -> None:
    dataset = generate(seed, tmp_path)
    for name in dataset.columns:
        source = source_of(dataset, inputs=(name,), targets=(), columns=(name,), uses=Uses())
        kind, values = innermost(dataset.types[name]), dataset.columns[name]
        if is_number(kind) and shape_of(values) is not None:
            table = read(source)
            assert table.column_names == [name]
            assert values_of(table, name) == values and type_of(table, name) == kind
            continue
        with pytest.raises(InvalidConfiguration, match=r"^spec\.recipe\.dataset\.train: ") as refused:
            list_dataset(source)
        assert name in str(refused.value)
        assert "transform" in str(refused.value) or "no value in any row" in str(refused.value)


@SEEDS
def test_what_is_not_used_stops_nothing(tmp_path: Path, seed: int) -> None:
    dataset = generate(seed, tmp_path)
    numbers = (name for name, kind in dataset.types.items() if is_number(kind))
    name = next((name for name in numbers if shape_of(dataset.columns[name]) == ()), None)
    if name is None:
        pytest.skip("no column of this dataset can be trained on")
    table = read(source_of(dataset, inputs=(name,), targets=(name,), columns=(name,), uses=Uses()))
    assert table.column_names == [name] and values_of(table, name) == dataset.columns[name]
