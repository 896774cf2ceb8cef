"""One value of a row as a NumPy array: pictures, encoded pictures, torch tensors and plain numbers.

Bytes of pictures stay 8 bits wide: training turns them into floats on the GPU's side, where it is cheapest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from trainingrun_trainer.convert.errors import ConvertError
from trainingrun_trainer.data import pictures
from trainingrun_trainer.data.picture_columns import Encoded
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError


@dataclass(frozen=True)
class PictureFormat:
    """What every picture is made into: height and width in pixels, and L or RGB. None keeps what it has."""

    size: tuple[int, int] | None = None
    mode: str | None = None

    @property
    def given(self) -> bool:
        """Whether pictures change at all."""
        return self.size is not None or self.mode is not None

    @property
    def source(self) -> Source:
        """The same as training's readers know it."""
        return Source("SOURCE", "Images", "", image_size=self.size, image_mode=self.mode)


def as_array(value: Any, where: str) -> Any:
    """Return tensors and pictures as arrays, everything else as it is."""
    if isinstance(value, Image.Image):
        return _picture_array(value, PictureFormat(), where)
    if hasattr(value, "detach") and hasattr(value, "numpy"):
        return value.detach().cpu().numpy()
    return value


def as_input(value: Any, wanted: PictureFormat, where: str) -> Any:
    """Return the input of a row as an array; encoded pictures (PNG, JPEG, ...) are decoded.

    Raises ConvertError when the bytes are not an image, or `wanted` is given for something that is not one.
    """
    if isinstance(value, Encoded):
        return _decoded(value.content, wanted, value.where)
    if isinstance(value, dict) and "bytes" in value:
        value = value["bytes"]
        if value is None:
            raise ConvertError(f"{where}: found no picture, expected its bytes in every row")
    if isinstance(value, bytes):
        return decode_picture(value, wanted, where)
    if isinstance(value, Image.Image):
        return _picture_array(value, wanted, where)
    array = as_array(value, where)
    return _reshaped(array, wanted, where) if wanted.given else array


def decode_picture(data: bytes, wanted: PictureFormat, where: str) -> np.ndarray[Any, np.dtype[Any]]:
    """Return an encoded picture as (height, width) or (height, width, 3), uint8 unless its pixels are wider.

    Training decodes with the same function. Raises ConvertError when the bytes are not an image.
    """
    return _decoded(lambda: data, wanted, where)


def _decoded(content: Callable[[], bytes], wanted: PictureFormat, where: str) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        return pictures.decode(wanted.source, where, content(), keeps_wide=True)
    except DataError as error:
        raise ConvertError(str(error)) from error


def _picture_array(picture: Image.Image, wanted: PictureFormat, where: str) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        return pictures.pixels(wanted.source, picture, path=where, keeps_wide=True)
    except DataError as error:
        raise ConvertError(str(error)) from error


def _reshaped(array: Any, wanted: PictureFormat, where: str) -> Any:
    pixels = np.asarray(array)
    colours = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or colours):
        raise ConvertError(
            f"{where}: --size and --mode change only images (uint8, height x width or height x width x 3), "
            f"found {pixels.dtype} of shape {'x'.join(map(str, pixels.shape)) or 'one number'}"
        )
    return _picture_array(Image.fromarray(pixels), wanted, where)
