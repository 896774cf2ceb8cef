"""The two sets that every contestant reads, made here so that they are the same everywhere and need no download."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

_SIZE = (500, 375)  # pixels, as ImageNet's usual picture has them
_QUALITY = 90
# Grid points of the noise, from broad to fine, and how far each reaches in grey levels: what photographs look like to
# an encoder, with about as many bytes.
_NOISE = (((4, 3), 90), ((40, 30), 40), ((250, 188), 25))


def make_jpeg(folder: Path, rows: int) -> None:
    """Files 00000.jpg … and means.npy, the mean grey level of each."""
    means = np.empty(rows)
    with _complete(folder) as made:
        for row in range(rows):
            picture = _picture(row)
            means[row] = np.asarray(Image.open(io.BytesIO(picture))).mean()
            (made / f"{row:05d}.jpg").write_bytes(picture)
        np.save(made / "means.npy", means)


def make_raw(folder: Path, rows: int) -> None:
    """images.npy, uint8 of shape (rows, 28, 28), and means.npy."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (rows, 28, 28), np.uint8) // generator.integers(1, 9, (rows, 1, 1), np.uint8)
    with _complete(folder) as made:
        np.save(made / "images.npy", images)
        np.save(made / "means.npy", images.mean(axis=(1, 2)))


def _picture(row: int) -> bytes:
    generator = np.random.default_rng(row)
    total = np.full((_SIZE[1], _SIZE[0], 3), generator.uniform(70, 180, 3))
    for (width, height), reach in _NOISE:
        noise = generator.integers(0, 256, (height, width, 3), np.uint8)
        grown = Image.fromarray(noise).resize(_SIZE, Image.Resampling.BICUBIC)
        total += (np.asarray(grown) / 255.0 - 0.5) * reach
    buffer = io.BytesIO()
    Image.fromarray(total.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


class _complete:
    """A folder that appears under its name only once everything is in it."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._made = folder.with_suffix(".part")

    def __enter__(self) -> Path:
        shutil.rmtree(self._made, ignore_errors=True)
        self._made.mkdir(parents=True)
        return self._made

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._made.rename(self._folder)
