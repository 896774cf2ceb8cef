"""Columns of encoded pictures in Parquet, as Hugging Face writes them, are the arrays that Pillow decodes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import pictures, read_epoch, refused_at_start, rows_of, source_of
from PIL import Image

from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.source import Uses
from trainingrun_trainer.failures.errors import DataError

HUGGING_FACE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, images: list[Any], kind: pa.DataType = HUGGING_FACE) -> None:
    data = [None if image is None else encoded(image) for image in images]
    values = [{"bytes": part, "path": "x.png"} for part in data] if pa.types.is_struct(kind) else data
    table = pa.table({"image": pa.array(values, kind), "label": [n % 3 for n in range(len(data))]})
    pq.write_table(table, path, row_group_size=7)


@pytest.mark.parametrize("kind", [HUGGING_FACE, pa.binary(), pa.large_binary()], ids=str)
def test_an_input_column_of_pictures_is_arrays(tmp_path: Path, kind: pa.DataType) -> None:
    write(tmp_path / "a.parquet", [Image.fromarray(image) for image in pictures(40)], kind)
    rows = rows_of(source_of("Parquet", tmp_path))
    assert rows["image"].dtype == np.uint8 and (rows["image"] == pictures(40)).all()
    read = read_epoch(source_of("Parquet", tmp_path))
    assert sorted(read.numbers) == list(range(40)) and len(set(read.ids.tolist())) == 40
    assert read.labels == [number % 3 for number in read.numbers]


def test_a_transform_gets_them_as_they_are_stored(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [Image.fromarray(image) for image in pictures(3)])
    hooks = Uses(gets_rows=True)
    rows = rows_of(source_of("Parquet", tmp_path, uses=hooks, columns=None))
    assert np.asarray(Image.open(io.BytesIO(rows["image"][1]["bytes"]))).tolist() == pictures(3)[1].tolist()
    # Unless the run says what they are to be.
    rows = rows_of(source_of("Parquet", tmp_path, uses=hooks, columns=None, image_mode="RGB"))
    assert rows["image"].shape == (3, 4, 6, 3)


def test_grey_and_colour_together_need_a_mode(tmp_path: Path) -> None:
    images = [Image.fromarray(image).convert("RGB" if n % 5 else "L") for n, image in enumerate(pictures(30))]
    write(tmp_path / "a.parquet", images)
    message = refused_at_start(source_of("Parquet", tmp_path))
    assert "a.parquet: column image, row 1: found an image of shape (4, 6, 3), others have (4, 6)" in message
    assert "set spec.recipe.dataset.train.imageSize to give all images one size, and imageMode" in message
    rows = rows_of(source_of("Parquet", tmp_path, image_mode="RGB", image_size=(8, 10)))
    expected = images[4].convert("RGB").resize((10, 8), Image.Resampling.BILINEAR)
    assert rows["image"].shape == (30, 8, 10, 3) and (rows["image"][4] == np.asarray(expected)).all()


def test_a_later_file_of_another_mode_says_the_same(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [Image.fromarray(image) for image in pictures(3)])
    write(tmp_path / "b.parquet", [Image.fromarray(image).convert("RGB") for image in pictures(3)])
    list_dataset(source_of("Parquet", tmp_path))
    with pytest.raises(
        DataError,
        match=r"b\.parquet: column image, row \d: found an image of shape \(4, 6, 3\), others have \(4, 6\).*imageMode",
    ):
        read_epoch(source_of("Parquet", tmp_path))


def test_a_row_without_a_picture_and_bytes_that_are_none(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [Image.new("L", (6, 4)), None])
    assert "column image, row 1: found no picture, expected the bytes or the path of one" in refused_at_start(
        source_of("Parquet", tmp_path)
    )
    pq.write_table(pa.table({"image": [b"abc"], "label": [1]}), tmp_path / "a.parquet")
    assert "a.parquet: column image, row 0: not a readable image (3 bytes)" in refused_at_start(
        source_of("Parquet", tmp_path)
    )
