"""CSV and JSON name no types: a column has the one that all values of all files fit, or the one that the run names."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dataset_files import refused_at_start, rows_of, source_of

from trainingrun_trainer.data.formats import csv_scan, text, text_stream
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.source import Source, Uses
from trainingrun_trainer.failures.errors import DataError

HOOKS = Uses(gets_rows=True)


def csv(folder: Path, **settings: Any) -> Source:
    return source_of("CSV", folder, uses=HOOKS, columns=None, **settings)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (text, text_stream, csv_scan):
        monkeypatch.setattr(module, "BLOCK_BYTES", 2000)


def same_as_pandas(source: Source, paths: list[Path], **options: Any) -> None:
    rows = rows_of(source)
    frame = pd.concat([pd.read_csv(path, **options) for path in paths])
    for name in frame:
        expected = frame[name].to_numpy()
        assert rows[name].dtype.kind == expected.dtype.kind, name
        assert rows[name].tolist() == expected.tolist(), name


def test_a_fraction_in_the_last_line_makes_a_column_fractions(tmp_path: Path, small_blocks: None) -> None:
    lines = [f"{n},{n * 2}" for n in range(2000)]
    (tmp_path / "a.csv").write_text("\n".join(["x,price", *lines, "7,0.5"]))
    same_as_pandas(csv(tmp_path), [tmp_path / "a.csv"])


def test_files_of_whole_numbers_and_of_fractions_are_one_dataset(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,price\n1,2\n")
    (tmp_path / "b.csv").write_text("price,x\n2.5,3\n")
    same_as_pandas(csv(tmp_path), [tmp_path / "a.csv", tmp_path / "b.csv"])


def test_line_ends_within_quotes(tmp_path: Path, small_blocks: None) -> None:
    text_of = "\n".join(["a line that goes on", 'and says ""hello""'] * 5)
    (tmp_path / "a.csv").write_text("x,note\n" + "".join(f'{n},"{text_of}"\n' for n in range(200)))
    same_as_pandas(csv(tmp_path), [tmp_path / "a.csv"])


def test_tabs_separate_where_the_name_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("x\tnote\n1\ta,b\n")
    with gzip.open(tmp_path / "b.tsv.gz", "wt") as file:
        file.write("x\tnote\n2\tc\n")
    same_as_pandas(csv(tmp_path), [tmp_path / "a.tsv", tmp_path / "b.tsv.gz"], sep="\t")


def test_only_an_empty_field_is_no_value(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("country,x\nNA,1\nnull,\n,3\n")
    rows = rows_of(csv(tmp_path))
    assert rows["country"].tolist() == ["NA", "null", None]
    assert rows["x"].dtype == np.float64 and np.isnan(rows["x"][1])


def test_whole_numbers_that_no_type_holds_stay_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"big,huge,mixed,hex\n{2**64 - 1},{2**70},{2**64 - 1},0x10\n1,2,-3,4\n")
    rows = rows_of(csv(tmp_path))
    assert rows["big"].dtype == np.uint64 and rows["big"].tolist() == [2**64 - 1, 1]
    assert rows["huge"].tolist() == [str(2**70), "2"]
    assert rows["mixed"].tolist() == [str(2**64 - 1), "-3"]
    assert rows["hex"].tolist() == ["0x10", "4"]


def test_the_run_names_types(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("zip,x,half,day\n01234,1,0.5,2020-01-02\n99999,2,1.5,2021-01-02\n")
    types = {"zip": "string", "x": "float32", "half": "float16", "day": "timestamp"}
    rows = rows_of(csv(tmp_path, column_types=types))
    assert rows["zip"].tolist() == ["01234", "99999"]
    assert (rows["x"].dtype, rows["half"].dtype, rows["half"].tolist()) == (np.float32, np.float16, [0.5, 1.5])
    assert rows["day"].dtype.kind == "M"


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({"x": "int8"}, "spec.recipe.dataset.train.schema.x: found values in"),
        (
            {"x": "list<int64>"},
            "spec.recipe.dataset.train.schema.x: found list<int64>, allowed with CSV: types without",
        ),
        ({"y": "int8"}, 'spec.recipe.dataset.train.schema: column "y" is in no file of'),
    ],
)
def test_types_that_do_not_fit_are_refused_before_anything_starts(
    tmp_path: Path, types: dict[str, str], message: str
) -> None:
    (tmp_path / "a.csv").write_text("x,z\n1,2\n300,2\n")
    assert message in refused_at_start(csv(tmp_path, column_types=types))


def test_an_empty_field_in_an_input_is_named_by_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,label,other\n1,0,\n,1,2\n")
    assert 'a.csv: column "image", row 1: found an empty field' in refused_at_start(source_of("CSV", tmp_path))
    (tmp_path / "a.csv").write_text("image,label,other\n1,0,\n2,1,2\n")
    assert rows_of(source_of("CSV", tmp_path))["image"].tolist() == [1, 2]


def test_a_header_that_is_none_or_names_a_column_twice(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    assert "the first line of a CSV file names the columns" in refused_at_start(source_of("CSV", tmp_path))
    (tmp_path / "a.csv").write_text("image,label,image\n3,4,5\n")
    assert 'a.csv: its header has 2 columns "image", allowed: one' in refused_at_start(source_of("CSV", tmp_path))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("image,label,name\n1,0,Münster\n".encode("latin-1"))
    assert rows_of(source_of("CSV", tmp_path))["image"].tolist() == [1]
    assert 'a.csv: column "name" holds bytes that are no UTF-8' in refused_at_start(csv(tmp_path))


def test_a_compressed_file_without_a_byte_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "b.csv").write_text("image,label\n4,1\n")
    assert rows_of(source_of("CSV", tmp_path))["image"].tolist() == [4]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b""))
    write_json(tmp_path / "b.jsonl", {"image": 4, "label": 1})
    assert rows_of(source_of("JSON", tmp_path))["image"].tolist() == [4]


def test_many_columns(tmp_path: Path) -> None:
    names = [f"pixel{n}" for n in range(784)]
    (tmp_path / "a.csv").write_text(",".join(names) + "\n" + ",".join(map(str, range(784))) + "\n")
    rows = rows_of(csv(tmp_path))
    assert [rows[name].tolist() for name in names] == [[n] for n in range(784)]


def test_what_follows_the_part_that_is_looked_through_must_fit(
    tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * 5000 + "0.5\n")
    monkeypatch.setattr(text, "SCANNED_BYTES", 5000)
    source = csv(tmp_path)
    assert list_dataset(source).rows is None
    with pytest.raises(DataError, match=r"a\.csv: .*0\.5.*; spec\.recipe\.dataset\.train\.schema can name types"):
        rows_of(source)
    assert rows_of(csv(tmp_path, column_types={"x": "float64"}))["x"][-1] == 0.5


def write_json(path: Path, *rows: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def json_rows(folder: Path, **settings: Any) -> dict[str, np.ndarray]:
    return rows_of(source_of("JSON", folder, uses=HOOKS, columns=None, **settings))


def test_a_key_that_appears_late_is_a_column(tmp_path: Path, small_blocks: None) -> None:
    write_json(tmp_path / "a.jsonl", *({"x": n} for n in range(1000)), {"x": 0.5, "late": "yes"})
    write_json(tmp_path / "b.jsonl", {"late": "no"})
    rows = json_rows(tmp_path)
    assert rows["x"].dtype == np.float64 and rows["x"][1000] == 0.5
    assert rows["late"].tolist() == [None] * 1000 + ["yes", "no"]


def test_a_text_that_looks_like_a_date_is_a_text(tmp_path: Path) -> None:
    write_json(tmp_path / "a.jsonl", {"day": "2020-01-01 00:00:00"}, {"day": "2020-01-02 00:00:00"})
    assert json_rows(tmp_path)["day"].tolist() == ["2020-01-01 00:00:00", "2020-01-02 00:00:00"]


def test_values_without_a_type_in_common_stop_only_who_uses_them(tmp_path: Path) -> None:
    write_json(tmp_path / "a.jsonl", {"image": 1, "label": 0, "id": 7}, {"image": 2, "label": 1, "id": "x7"})
    assert rows_of(source_of("JSON", tmp_path))["image"].tolist() == [1, 2]
    listing = list_dataset(source_of("JSON", tmp_path, uses=HOOKS, columns=None))
    assert listing.inspection.sample.column_names == ["image", "label"]
    (notice,) = listing.notices
    assert 'a.jsonl: column "id": found string, expected number as before; the column is left out' in notice
    assert 'column "id": found string' in refused_at_start(
        source_of("JSON", tmp_path, inputs=("id",), targets=(), columns=("id",))
    )


def test_lists_of_json_take_the_type_that_the_run_names(tmp_path: Path) -> None:
    write_json(tmp_path / "a.jsonl", {"image": [[0, 255]], "label": 1}, {"image": [[1, 2]], "label": 0})
    rows = json_rows(tmp_path, column_types={"image": "list<list<uint8>>"})
    assert rows["image"].dtype == np.uint8 and rows["image"].tolist() == [[[0, 255]], [[1, 2]]]
    assert json_rows(tmp_path)["image"].dtype == np.int64


def test_one_array_of_objects_is_refused_with_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"image": 1, "label": 0}]')
    assert "allowed: one JSON object on each line" in refused_at_start(source_of("JSON", tmp_path))


def test_types_by_name() -> None:
    assert text.arrow_type("list<list<uint8>>") == pa.list_(pa.list_(pa.uint8()))
    assert text.arrow_type("timestamp") == pa.timestamp("us")
