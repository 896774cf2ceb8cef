"""Every source form arrives bit by bit, in rows that keep input and target together."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import sklearn.datasets
import torch
from converted_rows import in_order, require_same
from PIL import Image
from torchvision.datasets import FakeData, ImageFolder

from trainingrun_trainer.convert import ConvertError, SourceFailed, convert

ROWS = 40


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (ROWS, 28, 28), dtype=np.uint8)


@pytest.fixture
def labels() -> np.ndarray:
    return np.arange(ROWS) % 10


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


@pytest.fixture
def mnist_root(tmp_path: Path, pixels: np.ndarray, labels: np.ndarray) -> Path:
    raw = tmp_path / "root" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for prefix, rows in (("train", slice(None)), ("t10k", slice(7))):
        for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            name = f"{prefix}-{kind}-ubyte"
            write_idx(raw / f"{name}.gz", array[rows])
            (raw / name).write_bytes(gzip.decompress((raw / f"{name}.gz").read_bytes()))
    return tmp_path / "root"


@pytest.mark.parametrize(("split", "rows"), [("train", ROWS), ("test", 7)])
def test_mnist_of_torchvision(
    mnist_root: Path, tmp_path: Path, pixels: np.ndarray, labels: np.ndarray, split: str, rows: int
) -> None:
    found = in_order("torchvision:MNIST", tmp_path / "out", root=str(mnist_root), split=split)
    require_same(found, pixels[:rows], labels[:rows])
    metadata = pq.read_schema(tmp_path / "out" / "part-00000.parquet").metadata
    assert json.loads(metadata[b"trainingrun.classes"])[3] == "3 - three"
    assert metadata[b"trainingrun.rows"] == str(rows).encode()


def test_any_dataset_of_torchvision_with_its_own_options(tmp_path: Path) -> None:
    options = {"size": 9, "image_size": [3, 8, 6], "num_classes": 3, "random_offset": 5}
    expected = FakeData(**options)
    found = in_order("torchvision:FakeData", tmp_path / "out", options=options)
    pictures = np.stack([np.asarray(picture) for picture, _ in expected])
    assert pictures.shape == (9, 8, 6, 3)
    require_same(found, pictures, np.array([int(label) for _, label in expected]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(2)
    for name in ("cat", "dog", "ant"):
        (tmp_path / "pictures" / name / "more").mkdir(parents=True)
        for file in ("2.png", "more/1.png"):
            picture = Image.fromarray(random.integers(0, 256, (9, 7, 3), dtype=np.uint8))
            picture.save(tmp_path / "pictures" / name / file)
    return tmp_path / "pictures"


@pytest.mark.parametrize("form", ["folder:{}", "{}"])
def test_class_folders_as_image_folder_reads_them(folder: Path, tmp_path: Path, form: str) -> None:
    expected = ImageFolder(str(folder))
    found = in_order(form.format(folder), tmp_path / "out")
    require_same(found, np.stack([np.asarray(picture) for picture, _ in expected]), np.array(expected.targets))
    metadata = pq.read_schema(tmp_path / "out" / "part-00000.parquet").metadata
    assert json.loads(metadata[b"trainingrun.classes"]) == ["ant", "cat", "dog"]


def test_class_folders_of_a_split(folder: Path, tmp_path: Path) -> None:
    split = tmp_path / "splits"
    split.mkdir()
    folder.rename(split / "train")
    assert convert(split, tmp_path / "out").rows == 6
    with pytest.raises(ConvertError, match="found the splits train, not test"):
        convert(split, tmp_path / "test", split="test")


def test_pictures_that_differ_are_named_and_made_alike_on_request(folder: Path, tmp_path: Path) -> None:
    Image.new("L", (20, 30), 7).save(folder / "dog" / "3.png")
    message = r"dog/3.png: found uint8 of shape 30x20 in column image, expected uint8 of shape 9x7x3.*--size"
    with pytest.raises(ConvertError, match=message):
        convert(folder, tmp_path / "out", shuffle=False)
    assert not (tmp_path / "out").exists()
    image, _ = in_order(folder, tmp_path / "out", size=(12, 10), mode="L")
    assert image.shape == (7, 12, 10)
    (folder / "dog" / "4.png").write_bytes(b"no picture")
    with pytest.raises(ConvertError, match=r"dog/4.png: not a readable image"):
        convert(folder, tmp_path / "other", size=(12, 10), mode="L")
    (folder / "dog" / "4.png").unlink()
    Image.new("L", (20, 30), 7).save(folder / "beside.png")
    with pytest.raises(ConvertError, match=r"beside.png\" is in no class's folder"):
        convert(folder, tmp_path / "other")


def test_digits_of_scikit_learn(tmp_path: Path) -> None:
    digits = sklearn.datasets.load_digits()
    found = in_order("sklearn:digits", tmp_path / "out")
    assert found[0].max() == 255
    require_same(found, np.round(digits.images * 255 / 16).astype(np.uint8), digits.target)


@pytest.mark.parametrize("name", ["data.npz", "data.npy", "data.parquet", "data.json", "data.jsonl", "data.pkl"])
def test_files(tmp_path: Path, pixels: np.ndarray, labels: np.ndarray, name: str) -> None:
    file = tmp_path / name
    frame = pandas.DataFrame({"image": pixels.tolist(), "label": labels})
    if name == "data.npz":
        labels = labels.astype(np.uint8)
        np.savez(file, image=pixels, label=labels, other=np.zeros(3))
    elif name == "data.npy":
        pairs = np.zeros(ROWS, [("image", np.uint8, (28, 28)), ("label", np.int32)])
        labels = labels.astype(np.int32)
        pairs["image"], pairs["label"] = pixels, labels
        np.save(file, pairs)
    elif name == "data.parquet":
        frame.to_parquet(file)
    elif name == "data.pkl":
        frame.to_pickle(file)
    else:
        frame.to_json(file, orient="records", lines=name == "data.jsonl")
    is_arrays = name.startswith("data.np")
    require_same(in_order(str(file), tmp_path / "out"), pixels if is_arrays else pixels.astype(np.int64), labels)
    require_same(in_order(str(file), tmp_path / "bytes", types={"image": "uint8"}), pixels, labels)


def test_a_converted_folder_can_be_converted_again(tmp_path: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    convert({"image": pixels, "label": labels}, tmp_path / "first", shuffle=False)
    found = in_order(tmp_path / "first" / "part-00000.parquet", tmp_path / "second")
    require_same(found, pixels, labels)


class Pairs(torch.utils.data.Dataset):
    classes = ("even", "odd")

    def __init__(self, pixels: np.ndarray):
        self._pixels = pixels

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(self._pixels[index]), torch.tensor(index % 10)


class Passing(torch.utils.data.IterableDataset):
    def __init__(self, pixels: np.ndarray):
        self._pairs = Pairs(pixels)

    def __iter__(self) -> Iterator[Any]:
        return (self._pairs[index] for index in range(len(self._pairs)))


def test_objects_of_a_notebook(tmp_path: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    sources = {
        "frame": pandas.DataFrame({"image": pixels.tolist(), "label": torch.from_numpy(labels)}),
        "frame of arrays": pandas.DataFrame({"image": list(pixels), "label": labels}),
        "arrays": {"image": torch.from_numpy(pixels), "label": torch.from_numpy(labels)},
        "dataset": Pairs(pixels),
        "subset": torch.utils.data.Subset(Pairs(pixels), range(ROWS)),
        "iterable dataset": Passing(pixels),
        "pairs": list(zip(pixels, labels.tolist(), strict=True)),
        "iterator of mappings": (
            {"label": int(label), "image": Image.fromarray(row)} for row, label in zip(pixels, labels, strict=True)
        ),
        "lists": [{"image": row.tolist(), "label": int(label)} for row, label in zip(pixels, labels, strict=True)],
    }
    for name, source in sources.items():
        # Lists of Python's numbers have 64 bits, and nobody asked for fewer.
        expected = pixels.astype(np.int64) if name in ("frame", "lists") else pixels
        require_same(in_order(source, tmp_path / name), expected, labels)


def test_encoded_pictures_are_decoded(tmp_path: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    import io

    def png(row: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(row).save(buffer, "PNG")
        return buffer.getvalue()

    encoded = [png(row) for row in pixels]
    table = pa.table({"image": [{"bytes": data, "path": "x.png"} for data in encoded], "label": labels})
    pq.write_table(table, tmp_path / "hub.parquet")
    require_same(in_order(tmp_path / "hub.parquet", tmp_path / "hub"), pixels, labels)
    frame = pandas.DataFrame({"image": encoded, "label": labels})
    require_same(in_order(frame, tmp_path / "frame"), pixels, labels)
    frame.loc[5, "image"] = b"no picture"
    with pytest.raises(ConvertError, match=r"row 5: not a readable image \(10 bytes\)"):
        convert(frame, tmp_path / "bad")


def test_a_function_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_rows.py").write_text(
        "def rows(count, fail=False):\n"
        "    for number in range(count):\n"
        "        if fail and number == 2:\n"
        "            raise KeyError('pixel')\n"
        "        yield [[number]], number\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    image, label = in_order("my_rows:rows", tmp_path / "out", options={"count": 5})
    assert image.ravel().tolist() == label.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(SourceFailed, match="the source raised KeyError: 'pixel'"):
        convert("my_rows:rows", tmp_path / "other", options={"count": 5, "fail": True})
    with pytest.raises(SourceFailed, match="my_rows:rows raised TypeError"):
        convert("my_rows:rows", tmp_path / "other")
    assert not (tmp_path / "other").exists()
