"""The files of a conversion: their number and sizes, their order, and their place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.convert import ConvertError, UsageError, convert, shuffle
from trainingrun_trainer.convert.parquet import sizes_for
from trainingrun_trainer.convert.shuffle import Arranged
from trainingrun_trainer.data.layout import from_numpy, layouts_of, to_numpy

KIB, MIB = 1024, 1024 * 1024


def numbered(rows: int) -> dict[str, np.ndarray]:
    """Return rows whose picture says their label, to see that both stay together."""
    label = np.arange(rows)
    return {"image": np.repeat(label.astype(np.uint16), 4).reshape(rows, 2, 2), "label": label}


def passing(rows: int) -> Iterator[dict[str, Any]]:
    columns = numbered(rows)
    return ({name: column[row] for name, column in columns.items()} for row in range(rows))


def labels_in(folder: Path) -> list[int]:
    """Return the labels in the order of the files, after checking them against their pictures."""
    labels: list[int] = []
    for file in sorted(folder.glob("*.parquet")):
        table = pq.read_table(file)
        layout = layouts_of(table.schema)["image"]
        assert (to_numpy(table["image"], layout)[:, 1, 1] == table["label"].to_numpy()).all()
        labels += table["label"].to_pylist()
    return labels


@pytest.fixture
def small_window(monkeypatch: pytest.MonkeyPatch) -> int:
    """Shrink the window of rows that pass once; 16 bytes a row."""
    monkeypatch.setattr(shuffle, "WINDOW_BYTES", 1600)
    return 100


@pytest.mark.parametrize("rows", [1, 99, 100, 101, 1000])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("source", [numbered, passing])
def test_every_row_is_written_once_in_the_order_asked_for(
    tmp_path: Path, small_window: int, rows: int, shuffle: bool, source: Any
) -> None:
    converted = convert(source(rows), tmp_path / "a", shuffle=shuffle, seed=3, rows_per_file=90, row_group_rows=7)
    labels = labels_in(tmp_path / "a")
    assert converted.rows == rows
    assert sorted(labels) == list(range(rows))
    assert (labels == list(range(rows))) is (not shuffle or rows == 1)
    convert(source(rows), tmp_path / "b", shuffle=shuffle, seed=3, rows_per_file=90)
    assert labels_in(tmp_path / "b") == labels
    convert(source(rows), tmp_path / "c", shuffle=shuffle, seed=4, rows_per_file=90)
    assert (labels_in(tmp_path / "c") == labels) is (not shuffle or rows == 1)
    one_window = source is numbered or rows <= small_window or not shuffle
    assert any("window of 100 rows" in note for note in converted.notes) is not one_window


def test_a_window_spreads_rows_that_come_sorted(tmp_path: Path, small_window: int) -> None:
    convert(passing(1000), tmp_path / "a", rows_per_file=1000)
    labels = np.array(labels_in(tmp_path / "a"))
    assert np.abs(labels - np.arange(1000)).mean() > small_window / 2


@pytest.mark.parametrize("source", [numbered, passing])
def test_a_limit_takes_a_sample_of_what_can_be_indexed(tmp_path: Path, source: Any) -> None:
    assert convert(source(1000), tmp_path / "a", limit=10).rows == 10
    labels = sorted(labels_in(tmp_path / "a"))
    assert (labels == list(range(10))) is (source is passing)
    convert(source(1000), tmp_path / "b", limit=10, shuffle=False)
    assert labels_in(tmp_path / "b") == list(range(10))
    assert convert(source(5), tmp_path / "c", limit=10).rows == 5


def one_row(size: int) -> pa.Table:
    field, array = from_numpy("image", np.zeros((1, size), np.uint8))
    return pa.table([array], schema=pa.schema([field]))


@given(st.integers(1, 10**8), st.integers(1, 4 * MIB), st.booleans())
def test_there_are_eight_files_as_soon_as_they_are_worth_it(rows: int, row_bytes: int, known: bool) -> None:
    shuffled = Arranged(iter(()), rows if known else None, rows)
    sizes = sizes_for(one_row(row_bytes), shuffled)
    files = -(-rows // sizes.file_rows)
    assert sizes.file_rows * row_bytes <= max(128 * MIB, row_bytes)
    assert sizes.row_group_rows <= min(16_384, sizes.file_rows)
    assert sizes.row_group_rows * row_bytes <= max(32 * MIB, row_bytes)
    assert files >= 8 or rows < 8 * KIB
    assert files == 1 or rows >= 8 * KIB or not known or rows * row_bytes > 96 * MIB


@given(st.integers(50, 10**8), st.integers(1, 4 * MIB))
def test_there_is_work_for_eight_even_in_a_small_dataset(rows: int, row_bytes: int) -> None:
    sizes = sizes_for(one_row(row_bytes), Arranged(iter(()), rows, rows))
    assert -(-rows // sizes.row_group_rows) >= 8


def test_a_small_dataset_is_one_file_of_eight_row_groups(tmp_path: Path) -> None:
    convert(numbered(1437), tmp_path / "a")
    (file,) = (tmp_path / "a").glob("*.parquet")
    metadata = pq.read_metadata(file)
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [180] * 7 + [177]


def test_arrays_have_no_dictionary_no_statistics_and_bounded_row_groups(tmp_path: Path) -> None:
    converted = convert(numbered(20_000), tmp_path / "a")
    assert converted.files == 8
    assert converted.size == sum(file.stat().st_size for file in (tmp_path / "a").iterdir())
    for file in (tmp_path / "a").iterdir():
        metadata = pq.read_metadata(file)
        assert metadata.num_rows == 2500
        for group in range(metadata.num_row_groups):
            image, label = (metadata.row_group(group).column(index) for index in range(2))
            assert image.physical_type == "FIXED_LEN_BYTE_ARRAY"
            assert "RLE_DICTIONARY" not in image.encodings
            assert image.statistics is None
            assert label.statistics.has_min_max
            assert image.compression == "LZ4"
    assert pq.read_schema(tmp_path / "a" / "part-00000.parquet").field("label").type == pa.int64()


def test_an_existing_destination_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(numbered(5), out)
    with pytest.raises(UsageError, match=r"out exists; --overwrite replaces it"):
        convert(numbered(3), out)
    assert len(labels_in(out)) == 5
    with pytest.raises(ConvertError, match="SOURCE has no rows"):
        convert([], out, overwrite=True)
    assert len(labels_in(out)) == 5
    convert(numbered(3), out, overwrite=True)
    assert len(labels_in(out)) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_a_free_destination(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    convert(numbered(5), tmp_path / "out")
    assert len(labels_in(tmp_path / "out")) == 5


def test_nothing_but_files_of_a_conversion_is_ever_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match=r"found thesis.txt, which was not written by a conversion"):
        convert(numbered(5), tmp_path / "out", overwrite=True)
    with pytest.raises(UsageError, match="found a file, allowed: a folder"):
        convert(numbered(5), tmp_path / "out" / "thesis.txt", overwrite=True)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_a_destination_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    def rows() -> Iterator[Any]:
        yield from passing(5)
        convert(numbered(3), tmp_path / "out")

    with pytest.raises(UsageError, match="exists"):
        convert(rows(), tmp_path / "out")
    assert len(labels_in(tmp_path / "out")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_conversion_that_was_killed_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "out.tmp-12345678").mkdir()
    converted = convert(numbered(5), tmp_path / "out")
    assert any("out.tmp-12345678 is left over from a conversion" in note for note in converted.notes)


def test_a_store_gets_its_manifest_last_and_is_replaced_as_a_whole() -> None:
    store = fsspec.filesystem("memory")
    convert(numbered(10_000), "memory://bucket/train")
    manifest = json.loads(store.cat_file("/bucket/train/_manifest.json"))
    assert (manifest["rows"], len(manifest["files"])) == (10_000, 8)
    created = {name: store.created(name) for name in store.find("/bucket/train")}
    assert max(created, key=created.__getitem__).endswith("_manifest.json")
    with pytest.raises(UsageError, match="train exists; --overwrite"):
        convert(numbered(5), "memory://bucket/train")
    convert(numbered(5), "memory://bucket/train", overwrite=True)
    assert sorted(store.find("/bucket/train")) == [
        "/bucket/train/_manifest.json",
        "/bucket/train/part-00000.parquet",
    ]


def test_a_store_is_left_empty_after_an_error() -> None:
    store = fsspec.filesystem("memory")
    rows = [*({"image": np.zeros((2, 2)), "label": 1} for _ in range(50)), {"image": np.zeros(3), "label": 1}]
    with pytest.raises(ConvertError, match="row 50"):
        convert(rows, "memory://bucket/broken", rows_per_file=1, shuffle=False)
    assert store.find("/bucket/broken") == []
    store.pipe_file("/bucket/half/part-00000.parquet", b"x")
    with pytest.raises(UsageError, match=r"exists without _manifest.json"):
        convert(numbered(5), "memory://bucket/half")


def test_an_unknown_kind_of_uri_is_refused() -> None:
    with pytest.raises(UsageError, match="DESTINATION nosuch://x"):
        convert(numbered(5), "nosuch://x/y")


def test_a_csv_keeps_its_columns(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,score,label\nhello,0.5,1\nworld,1,0\n")
    convert(tmp_path / "data.csv", tmp_path / "out", shuffle=False, input_column="text")
    table = pq.read_table(tmp_path / "out")
    assert table.to_pylist() == [
        {"text": "hello", "score": 0.5, "label": 1},
        {"text": "world", "score": 1.0, "label": 0},
    ]


def test_the_snippet_for_a_run_names_what_is_not_the_default(tmp_path: Path) -> None:
    converted = convert(
        {"x": np.zeros((2, 3)), "y": [1, 2]}, tmp_path / "out", split="test", input_column="x", target_column="y"
    )
    assert converted.yaml == (
        f"dataset:\n  validation:\n    format: Parquet\n    path: {tmp_path / 'out'}\n"
        "  inputColumn: x\n  targetColumn: y\n"
    )
