"""A column that training does not use stops nothing, and one that it needs and cannot use is named at the start."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import refused_at_start, rows_of, source_of

from trainingrun_trainer.data.columns import columns_of
from trainingrun_trainer.data.formats import format_of, parquet
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.reading import inspect, stored_tables
from trainingrun_trainer.data.source import Uses

HOOKS = Uses(gets_rows=True)


def write(path: Path, **columns: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=2)


def as_python(value: Any) -> Any:
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value


ODD: dict[str, Any] = {
    "nulls": [1.5, None],
    "only nulls": [None, None],
    "texts": ["a", None],
    "ragged": [[1], [2, 3]],
    "empty": pa.array([[], []], pa.list_(pa.int64())),
    "tags": [["a"], []],
    "structs": [{"a": 1}, None],
    "maps": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
    "decimals": [decimal.Decimal("1.5"), None],
    "dates": [datetime.datetime(2020, 1, 1), None],
    "categories": pa.array(["a", "b"]).dictionary_encode(),
    "bytes": [b"no picture", b""],
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_column_beside_those_that_are_used(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.parquet", image=[1, 2], label=[0, 1], **{name: ODD[name]})
    rows = rows_of(source_of("Parquet", tmp_path))
    assert rows["image"].tolist() == [1, 2] and name not in rows
    rows = rows_of(source_of("Parquet", tmp_path, uses=HOOKS, columns=None))
    expected = pq.read_table(tmp_path / "a.parquet").column(name).to_pylist()
    assert [as_python(value) for value in rows[name]] == expected


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("only nulls", "is null, of which no tensor can be made; it has no value in any row"),
        (
            "nulls",
            '"nulls" has 1 nulls in a row group, allowed: none; fill them, or leave these rows out, in a transform',
        ),
        (
            "ragged",
            "is list<element: int64>, of which no tensor can be made; its rows differ in length: pad or cut them",
        ),
        ("empty", "row 0: found an empty list"),
        ("tags", "is list<element: string>, of which no tensor can be made; encode it as numbers in a transform"),
        ("maps", "is map<string, int64"),
        ("categories", "is string, of which no tensor can be made; encode it as numbers in a transform"),
        ("bytes", "column bytes, row 0: not a readable image (10 bytes)"),
    ],
)
def test_an_odd_column_as_the_input(tmp_path: Path, name: str, said: str) -> None:
    write(tmp_path / "a.parquet", image=[1, 2], label=[0, 1], **{name: ODD[name]})
    message = refused_at_start(source_of("Parquet", tmp_path, inputs=(name,), columns=(name, "label")))
    assert message.startswith("spec.recipe.dataset.train: ") and said in message


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["cat", "dog"], "is string, of which no tensor can be made; encode it as numbers in a transform"),
        (
            [decimal.Decimal("1.5")] * 2,
            "is decimal128(2, 1), of which no tensor can be made; make numbers of it, such as",
        ),
        ([datetime.datetime(2020, 1, 1)] * 2, "is timestamp[us], of which no tensor can be made; make numbers of it"),
        ([{"box": 1}] * 2, "is struct<box: int64>, of which no tensor can be made; take the fields that are needed"),
    ],
)
def test_a_target_that_no_tensor_can_hold(tmp_path: Path, values: list[Any], said: str) -> None:
    write(tmp_path / "a.parquet", image=[1, 2], label=values)
    assert f'column "label", a target, {said}' in refused_at_start(source_of("Parquet", tmp_path))
    rows_of(source_of("Parquet", tmp_path, uses=HOOKS))  # a hook may make numbers of it
    # A step of the author's may leave it alone.
    list_dataset(source_of("Parquet", tmp_path, uses=Uses(gets_batches=True, makes_batches=True)))


def test_only_columns_that_are_used_are_read(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", image=[1, 2], label=[0, 1], weight=[0.5, 1.0])
    for columns, expected in ((("image", "label"), ["image", "label"]), (("weight",), ["weight"]), (None, 3)):
        found = format_of(source_of("Parquet", tmp_path)).find(
            source_of("Parquet", tmp_path, uses=HOOKS, columns=columns)
        )
        (table,) = format_of(found.source).read(found.source, found.pieces[0])
        assert table.column_names == expected or table.num_columns == expected


@pytest.mark.parametrize(
    ("columns", "uses", "said"),
    [
        (("image",), Uses(), 'spec.recipe.dataset.columns: found no "label", which is an input or target column'),
        (("image", "wages"), HOOKS, 'spec.recipe.dataset.columns: column "wages" is in no file of'),
    ],
)
def test_columns_that_cannot_be_meant(tmp_path: Path, columns: tuple[str, ...], uses: Uses, said: str) -> None:
    write(tmp_path / "a.parquet", image=[1, 2], label=[0, 1], weight=[0.5, 1.0])
    assert said in refused_at_start(source_of("Parquet", tmp_path, columns=columns, uses=uses))


def test_a_column_that_only_some_files_have_is_null_in_others(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", image=[1, 2], label=[0, 1])
    write(tmp_path / "b.parquet", image=[3], label=[0], extra=["x"])
    assert rows_of(source_of("Parquet", tmp_path))["image"].tolist() == [1, 2, 3]
    source = source_of("Parquet", tmp_path, uses=HOOKS, columns=None)
    assert rows_of(source)["extra"].tolist() == [None, None, "x"]
    (notice,) = list_dataset(source).notices
    assert 'column "extra" is null where a file has none, as ' in notice and "a.parquet" in notice


def test_types_that_differ_between_files_are_joined_without_a_loss(tmp_path: Path) -> None:
    write(
        tmp_path / "a.parquet", image=pa.array([[1, 2]], pa.list_(pa.int32())), label=pa.array([1], pa.int8()), x=["a"]
    )
    write(tmp_path / "b.parquet", image=pa.array([[0.5, 2]]), label=pa.array([2**40], pa.int64()), x=[1])
    rows = rows_of(source_of("Parquet", tmp_path))
    assert (rows["image"].dtype, rows["label"].dtype) == (np.float64, np.int64)
    assert (rows["image"].tolist(), rows["label"].tolist()) == ([[1, 2], [0.5, 2]], [1, 2**40])
    # Nobody can say what text and numbers are together: who uses the column is told, others are not stopped.
    listing = list_dataset(source_of("Parquet", tmp_path, uses=HOOKS, columns=None))
    assert "x" not in listing.inspection.sample.column_names
    assert 'b.parquet: column "x": found int64, expected string as in' in listing.notices[0]
    asked = source_of("Parquet", tmp_path, inputs=("x",), columns=("x", "label"))
    assert 'b.parquet: column "x": found int64, expected string as in' in refused_at_start(asked)


def test_lists_are_arrays_only_if_all_rows_have_one_length(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", ids=[[1, 2], [3, 4]], label=[0, 1])
    write(tmp_path / "b.parquet", ids=[[1, 2], [3, 4, 5]], label=[0, 1])
    source = source_of("Parquet", tmp_path, inputs=("ids",), uses=HOOKS, columns=None)
    listing = list_dataset(source)
    assert listing.inspection.layouts == {} and listing.source.ragged == {"ids"}
    assert [row.tolist() for row in rows_of(source)["ids"]] == [[1, 2], [3, 4], [1, 2], [3, 4, 5]]


def test_what_the_files_say_is_kept_beside_what_became_of_it(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", image=[[1, 2], [3, 4]], label=[0, 1])
    found = format_of(source_of("Parquet", tmp_path)).find(source_of("Parquet", tmp_path))
    inspection = inspect(found.source, found.pieces)
    assert inspection.stored.field("image").type == pa.list_(pa.field("element", pa.int64()))
    assert str(inspection.layouts["image"]) == "int64 of shape 2"


def test_texts_that_the_file_holds_once_are_bounded_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "long " * 20_000
    pq.write_table(pa.table({"note": [text] * 2000, "label": [0] * 2000}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 1 << 20
    found = format_of(source_of("Parquet", tmp_path)).find(source_of("Parquet", tmp_path, uses=HOOKS, columns=None))
    tables = list(format_of(found.source).read(found.source, found.pieces[0]))
    assert sum(table.num_rows for table in tables) == 2000
    assert all(table.nbytes <= parquet.READ_BYTES for table in tables)


@pytest.mark.parametrize("kind", ["Parquet", "JSON"])
def test_whole_numbers_with_a_null_somewhere_have_one_type_in_every_batch(tmp_path: Path, kind: str) -> None:
    for place, values in enumerate(([1, 2], [3, None])):
        columns: dict[str, Any] = {
            "image": values,
            "label": [0, 1],
            "flag": [True, values[1] and False],
            "many": [7, 8],
        }
        if kind == "Parquet":
            write(tmp_path / f"{place}.parquet", **columns)
        else:
            pd.DataFrame(columns, dtype=object).to_json(tmp_path / f"{place}.jsonl", orient="records", lines=True)
    listing = list_dataset(source_of(kind, tmp_path, uses=HOOKS, columns=None))
    stored = (table for piece in listing.pieces for table in stored_tables(listing.source, piece, {}, 1 << 20))
    tables = [columns_of(table) for table in stored]
    assert [table["image"].dtype for table in tables] == [np.float64] * 2
    assert [table["flag"].dtype for table in tables] == [object] * 2
    assert [table["many"].dtype for table in tables] == [np.int64] * 2
    # A collate hook gets them as they are.
    assert listing.source.schema is not None and listing.source.schema.field("image").type == pa.int64()
