"""Folders named `key=value` are columns, and the folders of table formats are no plain files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import refused_at_start, rows_of, source_of

from trainingrun_trainer.data.formats import format_of
from trainingrun_trainer.data.source import Source, Uses


def hive(path: object, kind: str = "Parquet", **settings: Any) -> Source:
    return source_of(kind, str(path), **{"inputs": ("x",), "columns": ("x", "label"), **settings})


def frame(rows: int = 60) -> pd.DataFrame:
    label = np.arange(rows) % 3
    return pd.DataFrame({"x": label * 10.0, "label": label, "city": np.where(label == 1, "Bad Ems", "a/b=c")})


@pytest.mark.parametrize("kind", ["Parquet", "CSV", "JSON"])
def test_values_in_the_names_of_folders_are_a_column(tmp_path: Path, kind: str) -> None:
    for label, part in frame().groupby("label"):
        folder = tmp_path / f"label={label}"
        folder.mkdir()
        part = part[["x"]]
        if kind == "Parquet":
            part.to_parquet(folder / "a.parquet")
        elif kind == "CSV":
            part.to_csv(folder / "a.csv", index=False)
        else:
            part.to_json(folder / "a.jsonl", orient="records", lines=True)
    rows = rows_of(hive(tmp_path, kind))
    assert rows["label"].dtype == np.int64 and np.bincount(rows["label"]).tolist() == [20, 20, 20]
    assert (rows["x"] == rows["label"] * 10).all()


def test_as_pandas_writes_them(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path, partition_cols=["city", "label"])
    rows = rows_of(hive(tmp_path, columns=None, uses=Uses(gets_rows=True)))
    assert set(rows["city"]) == {"Bad Ems", "a/b=c"}
    assert set(zip(rows["city"], rows["label"].tolist(), strict=True)) == {("Bad Ems", 1), ("a/b=c", 0), ("a/b=c", 2)}


def test_a_glob_over_the_folders(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path, partition_cols=["label"])
    rows = rows_of(hive(f"{tmp_path}/label=[01]/*.parquet"))
    assert sorted(set(rows["label"].tolist())) == [0, 1]


def test_in_a_store_and_with_the_type_that_the_run_names() -> None:
    store = fsspec.filesystem("memory")
    for label in (0, 1):
        store.pipe_file(f"/bucket/rows/label={label}/a.csv", b"x\n%d\n" % (label * 10))
    rows = rows_of(hive("memory://bucket/rows", "CSV"))
    assert list(zip(rows["x"].tolist(), rows["label"].tolist(), strict=True)) == [(0, 0), (10, 1)]
    typed = hive("memory://bucket/rows", "CSV", column_types={"label": "string"}, uses=Uses(gets_rows=True))
    assert rows_of(typed)["label"].tolist() == ["0", "1"]
    store.rm("/bucket", recursive=True)


def test_what_lies_above_the_path_is_no_column(tmp_path: Path) -> None:
    home = tmp_path / "run=7" / "data"
    home.mkdir(parents=True)
    frame().drop(columns="city").to_parquet(home / "a.parquet")
    found = format_of(hive(home)).find(hive(home, columns=None, uses=Uses(gets_rows=True)))
    assert found.source.schema is not None and found.source.schema.names == ["x", "label"]


def test_a_partition_without_a_value_and_numbers_among_words(tmp_path: Path) -> None:
    for value in ("1", "__HIVE_DEFAULT_PARTITION__", "x"):
        (tmp_path / f"label={value}").mkdir()
        pq.write_table(pa.table({"x": [1.0]}), tmp_path / f"label={value}" / "a.parquet")
    rows = rows_of(hive(tmp_path, uses=Uses(gets_rows=True)))
    assert rows["label"].tolist() == ["1", None, "x"]
    assert 'column "label", a target, is string' in refused_at_start(hive(tmp_path))


@pytest.mark.parametrize(
    ("log", "name"),
    [
        ("_delta_log/00000000000000000000.json", "a Delta Lake"),
        ("metadata/v1.metadata.json", "an Iceberg"),
        (".hoodie/hoodie.properties", "a Hudi"),
    ],
)
def test_folders_of_table_formats_are_refused(tmp_path: Path, log: str, name: str) -> None:
    frame().to_parquet(tmp_path / "a.parquet")
    (tmp_path / log).parent.mkdir()
    (tmp_path / log).write_text(json.dumps({"remove": {"path": "a.parquet"}}))
    message = refused_at_start(hive(tmp_path))
    assert f"is {name} table, whose folder also holds files with rows that were deleted" in message
    if name != "an Iceberg":
        assert f"is {name} table" in refused_at_start(hive(f"{tmp_path}/*.parquet"))
