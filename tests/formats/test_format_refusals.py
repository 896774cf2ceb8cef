"""Data that cannot be trained on is refused with the file's name: at the start if possible, else when it is read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import FORMATS, pictures, read_epoch, refused_at_start, rows_of, source_of, write_parquet

from trainingrun_trainer.data.formats import format_of
from trainingrun_trainer.data.layout import from_numpy
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.reading import inspect
from trainingrun_trainer.data.source import Source, Uses
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration


def while_reading(source: Source) -> str:
    """What a run says that began well and then meets bad data."""
    list_dataset(source)
    with pytest.raises(DataError) as caught:
        read_epoch(source, shuffle=False)
    return str(caught.value)


def write_table(path: Path, *, label: str = "label", **columns: object) -> None:
    frame = pd.DataFrame({**columns, label: range(len(next(iter(columns.values()))))})  # type: ignore[arg-type]
    frame.to_parquet(path, index=False)


def write_arrays(path: Path, array: np.ndarray) -> None:
    field, column = from_numpy("image", array)
    labels = pa.array(np.arange(len(array)))
    pq.write_table(pa.table([column, labels], schema=pa.schema([field, pa.field("label", pa.int64())])), path)


def test_a_path_without_files(tmp_path: Path) -> None:
    for kind in FORMATS:
        message = refused_at_start(source_of(kind, tmp_path / "nothing"))
        assert message.startswith("spec.recipe.dataset.train.path: found nothing at"), kind
        assert "nothing" in message and "allowed: a file, a folder with ." in message
    assert "found nothing" in refused_at_start(source_of("Parquet", tmp_path / "*.parquet"))
    assert "cannot list" in refused_at_start(source_of("Parquet", "nosuchscheme://x/y"))


def test_an_empty_parquet_file(tmp_path: Path) -> None:
    (tmp_path / "empty.parquet").write_bytes(b"")
    assert 'empty.parquet" (0 bytes) is not a readable Parquet file' in refused_at_start(source_of("Parquet", tmp_path))


def test_parquet_without_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({name: pa.array([], pa.int64()) for name in ("image", "label")}), tmp_path / "none.parquet")
    assert "no rows; allowed: at least one row" in refused_at_start(source_of("Parquet", tmp_path))


@pytest.mark.parametrize("kept", [0.2, 0.9])
def test_a_parquet_file_that_was_cut_off(tmp_path: Path, kept: float) -> None:
    write_parquet(tmp_path, 100)
    path = tmp_path / "part-2.parquet"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    message = refused_at_start(source_of("Parquet", tmp_path))
    assert "part-2.parquet" in message and "is not a readable Parquet file" in message


def test_a_damaged_page_of_a_parquet_file(tmp_path: Path) -> None:
    write_parquet(tmp_path, 100)
    path = tmp_path / "part-2.parquet"
    data = bytearray(path.read_bytes())
    column = pq.ParquetFile(path).metadata.row_group(3).column(1)
    begin = column.dictionary_page_offset or column.data_page_offset
    data[begin : begin + 20] = b"\xff" * 20
    path.write_bytes(data)
    message = while_reading(source_of("Parquet", tmp_path))
    assert "part-2.parquet: row group 3 cannot be read" in message


def test_a_file_that_is_gone_before_it_is_read(tmp_path: Path) -> None:
    for kind in ("Parquet", "Images", "WebDataset", "JSON"):
        folder = tmp_path / kind
        folder.mkdir()
        FORMATS[kind].write(folder, 40)
        source = source_of(kind, folder)
        found = format_of(source).find(source)
        gone = Path(found.pieces[0].paths[0])
        gone.unlink()
        with pytest.raises(InvalidConfiguration, match=gone.name):
            inspect(found.source, found.pieces)


def test_a_column_that_a_later_file_lacks(tmp_path: Path) -> None:
    for name in ("image", "label"):
        folder = tmp_path / name
        folder.mkdir()
        write_table(folder / "a.parquet", image=[[[1, 2]], [[3, 4]]])
        other = {"label": "class"} if name == "label" else {}
        columns = {"picture" if name == "image" else "image": [[[1, 2]], [[3, 4]]]}
        write_table(folder / "b.parquet", **other, **columns)
        assert f'b.parquet: column "{name}" is missing; found ' in refused_at_start(source_of("Parquet", folder))


def test_a_column_that_a_later_text_file_lacks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,label\n1,0\n")
    (tmp_path / "b.csv").write_text("image,class\n1,0\n")
    assert 'b.csv: column "label" is missing; found image, class' in refused_at_start(source_of("CSV", tmp_path))


def test_columns_that_no_file_has(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", picture=[[[1, 2]]])
    source = source_of("Parquet", tmp_path)
    with pytest.raises(InvalidConfiguration, match=r'column "image" is missing; found picture, label\. Name the'):
        list_dataset(source)
    assert list_dataset(source_of("Parquet", tmp_path, uses=Uses(gets_rows=True))).rows == 1  # a transform may make it


def test_rows_of_another_shape(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", image=[[[1, 2]], [[3, 4]]])
    write_table(tmp_path / "b.parquet", image=[[[1, 2]], [[3, 4, 5]]])
    assert 'column "image", an input, is list<element: list<element: int64>>' in refused_at_start(
        source_of("Parquet", tmp_path)
    )
    (tmp_path / "a.parquet").unlink()
    assert "b.parquet: column image, row 1: found the shape 1x3, expected 1x2" in refused_at_start(
        source_of("Parquet", tmp_path)
    )


@pytest.mark.parametrize(
    ("later", "found"),
    [
        (np.zeros((2, 6, 6), np.uint8), "uint8 of shape 6x6"),
        (np.zeros((2, 4, 9), np.int8), "int8 of shape 4x9"),
        (np.zeros((2, 5, 9), np.uint8), "uint8 of shape 5x9"),
    ],
    ids=["as-many-bytes", "other-type", "more-bytes"],
)
def test_arrays_of_another_shape_or_type_in_a_later_file(tmp_path: Path, later: np.ndarray, found: str) -> None:
    write_arrays(tmp_path / "a.parquet", np.zeros((2, 4, 9), np.uint8))
    write_arrays(tmp_path / "b.parquet", later)
    message = refused_at_start(source_of("Parquet", tmp_path))
    assert "b.parquet" in message and f'column "image": found {found}, expected uint8 of shape 4x9 as in' in message


def test_a_tensor_column_of_another_shape_in_a_later_file(tmp_path: Path) -> None:
    for name, shape in (("a", (2, 3)), ("b", (3, 2))):
        column = pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((2, *shape), np.uint8))
        pq.write_table(pa.table({"image": column, "label": [0, 1]}), tmp_path / f"{name}.parquet")
    assert "found uint8 of shape 3x2, expected uint8 of shape 2x3" in refused_at_start(source_of("Parquet", tmp_path))


def test_metadata_that_contradicts_its_column(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("image", pa.binary(4)), pa.field("label", pa.int64())])
    schema = schema.with_metadata({"image.shape": "2,3", "image.dtype": "uint8"})
    pq.write_table(pa.table([pa.array([b"abcd"], pa.binary(4)), [1]], schema=schema), tmp_path / "a.parquet")
    assert "column image: its metadata says uint8 of shape 2x3" in refused_at_start(source_of("Parquet", tmp_path))


def test_a_row_without_an_image(tmp_path: Path) -> None:
    field, column = from_numpy("image", pictures(2))
    broken = pa.array([column[0].as_py(), None], column.type)
    table = pa.table([broken, [0, 1]], schema=pa.schema([field, pa.field("label", pa.int64())]))
    pq.write_table(table, tmp_path / "a.parquet")
    assert 'column "image" has 1 nulls in a row group' in refused_at_start(source_of("Parquet", tmp_path))


def test_whole_numbers_keep_their_type_in_every_file(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", image=[[[1, 255]]])
    write_table(tmp_path / "b.parquet", image=[[[1, 2]], [[1, 2**40]]])
    batch = rows_of(source_of("Parquet", tmp_path))
    assert batch["image"].dtype == np.int64 and batch["image"].tolist() == [[[1, 255]], [[1, 2]], [[1, 2**40]]]


def test_lines_that_are_not_json(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"image": 1, "label": 0}\nnot json\n')
    assert "a.jsonl: JSON parse error" in refused_at_start(source_of("JSON", tmp_path))


def test_rows_of_csv_with_too_many_values(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,label\n1,2,3\n")
    assert "a.csv: CSV parse error: Row #2: Expected 2 columns, got 3" in refused_at_start(source_of("CSV", tmp_path))


def test_a_list_in_json_of_another_shape(tmp_path: Path) -> None:
    rows = [{"image": [[1, 2]], "label": 0}, {"image": [[1], [2]], "label": 0}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert "a.jsonl: column image, row 1: found the shape 2x1, expected 1x2" in refused_at_start(
        source_of("JSON", tmp_path)
    )
