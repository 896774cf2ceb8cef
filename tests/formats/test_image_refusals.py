"""Images and shards of images that cannot be trained on are refused with the file's name."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import webdataset
from dataset_files import FORMATS, pictures, read_epoch, refused_at_start, source_of, write_images
from PIL import Image

from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.pictures import decode
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration


def test_images_of_one_class_only(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    Image.new("L", (2, 2)).save(tmp_path / "cats" / "a.png")
    assert 'images of one folder only ("cats")' in refused_at_start(source_of("Images", tmp_path))


def test_images_of_different_sizes(tmp_path: Path) -> None:
    write_images(tmp_path, 30)
    Image.new("L", (9, 9)).save(tmp_path / "class-1" / "00001.png")
    source = source_of("Images", tmp_path)
    with pytest.raises((DataError, InvalidConfiguration)) as caught:
        list_dataset(source)
        read_epoch(source)
    assert "set spec.recipe.dataset.train.imageSize to give all images one size" in str(caught.value)
    read = read_epoch(source_of("Images", tmp_path, image_size=(4, 6)))
    assert len(read.ids) == 30


def test_an_image_that_cannot_be_read(tmp_path: Path) -> None:
    write_images(tmp_path, 30)
    broken = tmp_path / "class-1" / "00001.png"
    for data in (b"", b"not an image", broken.read_bytes()[:50]):
        broken.write_bytes(data)
        with pytest.raises((DataError, InvalidConfiguration), match=r"00001\.png: not a readable image"):
            read_epoch(source_of("Images", tmp_path))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
def test_every_damaged_byte_of_an_image_is_survived_or_named() -> None:
    source = source_of("Images", "/nowhere")
    for suffix in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"):
        buffer = io.BytesIO()
        Image.fromarray(pictures(1)[0]).save(buffer, suffix)
        data = buffer.getvalue()
        refused = 0
        for place in range(0, len(data), 2):
            broken = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
            try:
                decode(source, "some.file", broken)
            except DataError as error:
                refused += 1
                assert str(error).startswith("some.file: ")
        assert refused, suffix


def test_images_with_pixels_wider_than_a_byte(tmp_path: Path) -> None:
    write_images(tmp_path, 4)
    for path in tmp_path.rglob("*.png"):
        Image.fromarray(np.full((4, 6), 40_000, np.uint16)).save(path)
    assert "pixels wider than 8 bits (mode I;16), allowed: 8 bits" in refused_at_start(source_of("Images", tmp_path))


def png(width: int = 6) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, 4)).save(buffer, "PNG")
    return buffer.getvalue()


SHARDS: list[tuple[Callable[[], dict[str, object]], str]] = [
    (lambda: {"png": png()}, "sample 1 has png; expected an image (.jpg, .jpeg, .png, …) and one of .cls, .label"),
    (lambda: {"cls": 1}, "sample 1 has cls; expected an image"),
    (lambda: {"png": png(), "cls": b"cat"}, "sample 1: the class must be a whole number"),
    (lambda: {"png": b"nothing", "cls": 1}, "shard.tar:1: not a readable image (7 bytes)"),
    (lambda: {"png": png(9), "cls": 1}, "shard.tar:1: found an image of shape (4, 9), others have (4, 6)"),
]


@pytest.mark.parametrize(("sample", "expected"), SHARDS, ids=["no-class", "no-image", "text", "damaged", "shape"])
def test_samples_of_webdataset_that_are_wrong(
    tmp_path: Path, sample: Callable[[], dict[str, object]], expected: str
) -> None:
    with webdataset.TarWriter(str(tmp_path / "shard.tar"), encoder=False) as writer:
        writer.write({"__key__": "0", "png": png(), "cls": b"0"})
        values = {name: value if isinstance(value, bytes) else b"1" for name, value in sample().items()}
        writer.write({"__key__": "1", **values})
    assert expected in refused_at_start(source_of("WebDataset", tmp_path))


def test_a_shard_that_is_cut_off_or_no_tar(tmp_path: Path) -> None:
    FORMATS["WebDataset"].write(tmp_path, 40)
    shard = tmp_path / "shard-1.tar"
    data = shard.read_bytes()
    in_a_header, in_an_image = 512 * 20 + 100, 512 * 21 + 50
    for broken in (data[:in_a_header], data[:in_an_image], b"no tar file" * 100, b"no tar file." * 128):
        shard.write_bytes(broken)
        with pytest.raises(DataError, match=r"shard-1\.tar: not a readable WebDataset shard"):
            read_epoch(source_of("WebDataset", tmp_path), shuffle=False)


def test_an_empty_shard_has_no_rows(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    assert "no rows" in refused_at_start(source_of("WebDataset", tmp_path))
