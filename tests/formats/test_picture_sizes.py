"""Pictures that are made to size: close to what the full size gives, and the same whoever decodes them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import simplejpeg
from dataset_files import rows_of, source_of
from PIL import Image, ImageFilter
from torchvision.transforms import v2

from trainingrun_trainer.convert import convert
from trainingrun_trainer.data.pictures import decode
from trainingrun_trainer.data.source import Source


def photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Coarse and fine structure, edges and a little noise."""
    random = np.random.default_rng(width)
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize((width, height))
    fine = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
    mixed = Image.blend(coarse, fine.filter(ImageFilter.GaussianBlur(2)), 0.4)
    return mixed.convert(mode)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def source(size: tuple[int, int] | None, mode: str | None = None) -> Source:
    return source_of("Parquet", "/nowhere", image_size=size, image_mode=mode)


SIZES = [(500, 375), (1280, 960), (2049, 1537), (451, 4000)]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_photograph_is_close_to_its_full_size_resized(width: int, height: int, mode: str) -> None:
    data = encoded(photo(width, height), "JPEG", quality=90)
    found = decode(source((224, 224), mode), "a.jpg", data).astype(int)
    full = Image.open(io.BytesIO(data)).convert(mode)
    expected = np.asarray(full.resize((224, 224), Image.Resampling.BILINEAR)).astype(int)
    torchvision = np.asarray(v2.Resize((224, 224), antialias=True)(full)).astype(int)
    assert found.shape == expected.shape
    for other in (expected, torchvision):
        assert np.abs(found - other).mean() < 1.5 and np.abs(found - other).max() < 48


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_is_decoded_whole_is_bit_by_bit_pillows_and_torchvisions(form: str, mode: str) -> None:
    # The JPEG is less than twice as large as it is to be.
    image = photo(300, 200)
    data = encoded(image, form)
    full = Image.open(io.BytesIO(data))
    assert np.array_equal(decode(source(None), "a", data), np.asarray(full.convert("RGB")))
    if (form, mode) != ("JPEG", "L"):
        found = decode(source((150, 160), mode), "a", data)
        tensor = v2.functional.pil_to_tensor(full.convert(mode))
        expected = v2.functional.resize(tensor, [150, 160], antialias=True).permute(1, 2, 0).numpy()
        assert np.array_equal(found, expected[:, :, 0] if mode == "L" else expected)
        pillows = np.asarray(full.convert(mode).resize((160, 150), Image.Resampling.BILINEAR))
        assert np.abs(found - pillows.astype(int)).max() <= 1


@pytest.mark.parametrize("size", [None, (40, 50)])
def test_unusual_pictures_are_pillows_colours(size: tuple[int, int] | None) -> None:
    grey, colour = photo(90, 80, "L"), photo(90, 80)
    frames = encoded(colour, "GIF", save_all=True, append_images=[photo(91, 81).resize((90, 80))])
    turned = Image.Exif()
    turned[274] = 6
    unusual = {
        "CMYK": encoded(colour.convert("CMYK"), "JPEG"),
        "palette": encoded(colour.quantize(), "PNG"),
        "palette with transparency": encoded(colour.quantize(), "PNG", transparency=0),
        "alpha": encoded(colour.convert("RGBA"), "PNG"),
        "bits": encoded(grey.convert("1"), "PNG"),
        "animated": frames,
        "orientation": encoded(colour, "JPEG", exif=turned),
        "progressive": encoded(colour, "JPEG", progressive=True),
        "grey JPEG": encoded(grey, "JPEG"),
        "MPO": encoded(colour, "MPO", save_all=True, append_images=[colour]),
    }
    for name, data in unusual.items():
        image = Image.open(io.BytesIO(data)).convert("RGB")
        expected = np.asarray(image.resize((50, 40), Image.Resampling.BILINEAR) if size else image).astype(int)
        found = decode(source(size, "RGB"), name, data)
        # The two filters round differently.
        assert np.abs(found - expected).max() <= (1 if size else 0), name


def test_telephones_photographs_are_decoded_at_a_fraction_too(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[int, ...]] = []

    def decode_jpeg(*args: Any, **options: Any) -> np.ndarray:
        array = whole(*args, **options)
        decoded.append(array.shape)
        return array

    whole = simplejpeg.decode_jpeg
    monkeypatch.setattr(simplejpeg, "decode_jpeg", decode_jpeg)
    image = photo(1001, 800)
    for form, options in (("JPEG", {}), ("MPO", {"save_all": True, "append_images": [image]})):
        decode(source((100, 100)), form, encoded(image, form, **options))
    # A bit more than an eighth: no part of the picture is lost.
    assert decoded == [(100, 126, 3)] * 2


def test_a_conversion_and_training_decode_alike(tmp_path: Path) -> None:
    images = [encoded(photo(*size), "JPEG") for size in ((500, 375), (640, 480), (333, 999), (1000, 700))]
    (tmp_path / "raw").mkdir()
    pq.write_table(pa.table({"image": images, "label": [0, 1, 2, 3]}), tmp_path / "raw" / "a.parquet")
    for number, data in enumerate(images):
        (tmp_path / "folder" / f"{number}").mkdir(parents=True)
        (tmp_path / "folder" / f"{number}" / "a.jpg").write_bytes(data)
    direct = rows_of(source_of("Parquet", tmp_path / "raw", image_size=(96, 96), image_mode="RGB"))
    folder = rows_of(source_of("Images", tmp_path / "folder", image_size=(96, 96), image_mode="RGB"))
    for form, name in (("raw", "one"), ("folder", "two")):
        convert(tmp_path / form, tmp_path / name, size=(96, 96), mode="RGB", shuffle=False)
        rows = rows_of(source_of("Parquet", tmp_path / name))
        assert np.array_equal(rows["image"], direct["image"])
    assert np.array_equal(folder["image"][np.argsort(folder["label"])], direct["image"])
