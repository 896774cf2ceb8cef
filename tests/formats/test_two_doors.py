"""A dataset has the same rows, classes, types and numbers whether it is read directly or converted first."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs
from dataset_files import tables_of, write_csv, write_images, write_json, write_webdataset
from generated_tables import generate
from PIL import Image
from torchvision.datasets import ImageFolder

from trainingrun_trainer.convert import ConvertError, convert
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.layout import layouts_of, to_numpy
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.source import Source, Uses
from trainingrun_trainer.failures.errors import InvalidConfiguration


def read(form: str, path: Path | str, **settings: Any) -> pa.Table:
    """All rows of a dataset as a data task has them, in the order of the files."""
    listing = list_dataset(Source("spec.recipe.dataset.train", form, str(path), **settings))
    return pa.concat_tables(tables_of(listing)).drop_columns([ROW_ID])


def converted(source: Path | str, out: Path | str, **options: Any) -> pa.Table:
    convert(str(source), out, shuffle=False, **options)
    return read("Parquet", out)


def require_same(found: pa.Table, expected: pa.Table) -> None:
    assert found.column_names == expected.column_names
    arrays = layouts_of(expected.schema)
    assert layouts_of(found.schema) == arrays
    for name in expected.column_names:
        if name in arrays:
            one, other = (to_numpy(table.column(name), arrays[name]) for table in (found, expected))
            np.testing.assert_array_equal(one, other, err_msg=name)
        else:
            assert found.schema.field(name).type == expected.schema.field(name).type, name
            assert str(found.column(name).to_pylist()) == str(expected.column(name).to_pylist()), name


@pytest.mark.parametrize("seed", range(90))
def test_generated_tables_are_the_same_on_both_ways(tmp_path: Path, seed: int) -> None:
    (tmp_path / "raw").mkdir()
    dataset = generate(seed, tmp_path / "raw")
    direct = read(dataset.format, dataset.folder)
    require_same(converted(dataset.folder, tmp_path / "out", input_column=direct.column_names[0]), direct)


@pytest.mark.parametrize(
    ("form", "write"), [("CSV", write_csv), ("JSON", write_json), ("WebDataset", write_webdataset)]
)
def test_usual_datasets_are_the_same_on_both_ways(tmp_path: Path, form: str, write: Any) -> None:
    (tmp_path / "raw").mkdir()
    write(tmp_path / "raw", 50)
    require_same(converted(tmp_path / "raw", tmp_path / "out"), read(form, tmp_path / "raw"))


def test_a_file_a_glob_and_a_store_are_sources(tmp_path: Path, store: s3fs.S3FileSystem) -> None:
    (tmp_path / "raw").mkdir()
    write_csv(tmp_path / "raw", 30)
    whole = read("CSV", tmp_path / "raw")
    for place, name in enumerate(("raw/part-1.csv", "raw/part-[1].csv")):
        require_same(converted(tmp_path / name, tmp_path / f"{place}"), read("CSV", tmp_path / "raw/part-1.csv"))
    store.put(str(tmp_path / "raw"), "bucket/raw", recursive=True)
    require_same(converted("s3://bucket/raw", "s3://bucket/out"), whole)
    write_images(tmp_path / "raw", 9)
    store.put(str(tmp_path / "raw"), "bucket/pictures", recursive=True)
    direct = read("Images", "s3://bucket/pictures")
    stored = converted("s3://bucket/pictures", tmp_path / "pictures")
    assert sorted(map(str, stored.to_pylist())) == sorted(map(str, direct.to_pylist()))


def hugging_face_shards(folder: Path, *, mixed: bool) -> list[Image.Image]:
    """Two shards as the datasets library writes them; with `mixed` every fifth picture is grey."""
    folder.mkdir()
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    random, pictures = np.random.default_rng(7), []
    for shard in range(2):
        rows = []
        for row in range(20):
            picture = Image.fromarray(random.integers(0, 256, (6, 5, 3), dtype=np.uint8))
            picture = picture.convert("L") if mixed and row % 5 == 4 else picture
            data = io.BytesIO()
            picture.save(data, "PNG")
            rows.append({"bytes": data.getvalue(), "path": f"{row}.png"})
            pictures.append(picture)
        table = pa.table({"image": pa.array(rows, kind), "label": pa.array(range(20), pa.int8())})
        pq.write_table(table, folder / f"train-{shard:05d}-of-00002.parquet")
    return pictures


def test_pictures_in_a_column_are_decoded_alike(tmp_path: Path) -> None:
    pictures = hugging_face_shards(tmp_path / "raw", mixed=False)
    direct = read("Parquet", tmp_path / "raw", uses=Uses())
    found = converted(tmp_path / "raw", tmp_path / "out")
    require_same(found, direct)
    assert found.schema.field("label").type == pa.int8()
    image = to_numpy(found.column("image"), layouts_of(found.schema)["image"])
    np.testing.assert_array_equal(image, np.stack([np.asarray(picture) for picture in pictures]))


def test_pictures_of_two_modes_are_refused_alike_and_made_one_alike(tmp_path: Path) -> None:
    hugging_face_shards(tmp_path / "raw", mixed=True)
    with pytest.raises(InvalidConfiguration, match="row 4: found an image of shape"):
        read("Parquet", tmp_path / "raw", uses=Uses())
    with pytest.raises(ConvertError, match=r"row 4: found uint8 of shape 6x5 in column image.*--mode"):
        convert(tmp_path / "raw", tmp_path / "out")
    for mode in ("L", "RGB"):
        direct = read("Parquet", tmp_path / "raw", uses=Uses(), image_mode=mode)
        require_same(converted(tmp_path / "raw", tmp_path / mode, mode=mode), direct)


def class_folders(folder: Path) -> None:
    random = np.random.default_rng(3)
    for name in ("dog", "Zebra", "ant", "cat"):
        for place, suffix in enumerate((".png", ".bmp", ".gif", ".JPG", ".tiff", ".webp")):
            home = folder / name / ("deep/er" if place % 2 else "")
            home.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(random.integers(0, 256, (7, 9, 3), dtype=np.uint8))
            picture.save(home / f"{place}{suffix}")


def test_class_folders_have_torchvisions_classes_on_both_ways(tmp_path: Path) -> None:
    class_folders(tmp_path / "raw")
    direct = read("Images", tmp_path / "raw", image_mode="RGB")
    found = converted(tmp_path / "raw", tmp_path / "out", mode="RGB")
    assert sorted(map(str, found.to_pylist())) == sorted(map(str, direct.to_pylist()))
    # ImageFolder has another list of suffixes, and is told ours.
    expected = ImageFolder(str(tmp_path / "raw"), is_valid_file=lambda path: True)
    metadata = pq.read_schema(tmp_path / "out" / "part-00000.parquet").metadata
    assert json.loads(metadata[b"trainingrun.classes"]) == expected.classes
    assert found.column("label").to_pylist() == expected.targets
    image = to_numpy(found.column("image"), layouts_of(found.schema)["image"])
    np.testing.assert_array_equal(image, np.stack([np.asarray(picture) for picture, _ in expected]))


def test_a_folder_of_splits_has_no_classes_of_its_own(tmp_path: Path) -> None:
    class_folders(tmp_path / "raw/train")
    class_folders(tmp_path / "raw/val")
    with pytest.raises(InvalidConfiguration, match=r'found the splits train, val .* such as ".*/raw/train"'):
        read("Images", tmp_path / "raw")
    assert convert(tmp_path / "raw", tmp_path / "out", split="val", mode="RGB").rows == 24


def test_validation_has_the_classes_of_training_on_both_ways(tmp_path: Path) -> None:
    class_folders(tmp_path / "raw/train")
    class_folders(tmp_path / "raw/val")
    shutil.rmtree(tmp_path / "raw/val/Zebra")
    classes = list_dataset(Source("train", "Images", str(tmp_path / "raw/train"), image_mode="RGB")).source.classes
    direct = read("Images", tmp_path / "raw/val", image_mode="RGB", classes=classes)
    options = {"split": "val", "mode": "RGB"}
    alone = converted(tmp_path / "raw/val", tmp_path / "alone", classes_from=str(tmp_path / "raw/train"), **options)
    for found in (converted(tmp_path / "raw", tmp_path / "out", **options), alone):
        assert sorted(map(str, found.to_pylist())) == sorted(map(str, direct.to_pylist()))
        assert set(found.column("label").to_pylist()) == {1, 2, 3}


def test_wide_pixels_are_kept_by_a_conversion(tmp_path: Path) -> None:
    wide = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    for name in ("a", "b"):
        (tmp_path / "raw" / name).mkdir(parents=True)
        Image.fromarray(wide).save(tmp_path / "raw" / name / "1.png")
    found = converted(tmp_path / "raw", tmp_path / "out")
    assert to_numpy(found.column("image"), layouts_of(found.schema)["image"]).tolist() == [wide.tolist()] * 2
    with pytest.raises(ConvertError, match=r"1.png: found pixels wider than 8 bits"):
        convert(tmp_path / "raw", tmp_path / "grey", mode="L")


@pytest.mark.parametrize("values", [[1, 2, 3], [[1, 2], [3, 4], [5, 6]], [[[1], [2]], [[3], [4]], [[5], [6]]]])
def test_a_narrower_type_is_taken_where_every_value_fits(tmp_path: Path, values: list[Any]) -> None:
    frame = pd.DataFrame({"image": values, "label": [0.5, 1.5, 2.5]})
    frame.to_parquet(tmp_path / "raw.parquet")
    types = {"image": "uint8", "label": "float32"}
    found = converted(tmp_path / "raw.parquet", tmp_path / "out", types=types)
    assert found.schema.field("label").type == pa.float32()
    layout = layouts_of(found.schema).get("image")
    assert found.schema.field("image").type == pa.uint8() if layout is None else layout.dtype == np.uint8
    column = found.column("image")
    assert (column.to_pylist() if layout is None else to_numpy(column, layout).tolist()) == values


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ([1, 2, 300], "uint8", "column image, row 2: found 300, expected uint8"),
        ([[1, 2], [3, -1]], "uint8", "column image, row 1: found the value -1, expected uint8"),
        ([[1.0, 2.0], [3.0, 0.5]], "int64", "column image, row 1: found the value 0.5, expected int64"),
        ([[2**53 + 1], [0]], "float64", f"column image, row 0: found the value {2**53 + 1}, expected float64"),
        ([[1e300], [0.0]], "float32", "column image, row 0: found the value 1e.300, expected float32"),
        ([[1], [2, 3]], "uint8", r"--type image=uint8: rows of list<.*> differ in shape"),
        (["a", "b"], "int64", "column image, row 0: found 'a', expected int64"),
    ],
)
def test_what_does_not_fit_a_type_is_named_by_row(tmp_path: Path, values: list[Any], kind: str, message: str) -> None:
    pd.DataFrame({"image": values, "label": 0}).to_parquet(tmp_path / "raw.parquet")
    with pytest.raises(ConvertError, match=message):
        convert(tmp_path / "raw.parquet", tmp_path / "out", shuffle=False, types={"image": kind})
    assert not (tmp_path / "out").exists()


def test_lists_that_differ_late_are_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows() -> Any:
        yield from ({"image": [1, 2], "label": row} for row in range(300))
        yield {"image": [1], "label": 300}

    monkeypatch.setattr("trainingrun_trainer.convert.settling.STREAM_BYTES", 1)
    with pytest.raises(ValueError, match=r"row 300: found the shape 1, expected 2; --type image=list<"):
        convert(rows(), tmp_path / "out", shuffle=False)
    found = convert(rows(), tmp_path / "out", shuffle=False, types={"image": "list<int64>"})
    assert found.rows == 301
    assert pq.read_table(tmp_path / "out").column("image").to_pylist()[-1] == [1]
