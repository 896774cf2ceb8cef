"""One value of a row as a NumPy array: pictures, encoded pictures, torch tensors and plain numbers.

Bytes of pictures stay 8 bits wide: training turns them into floats on the GPU's side, where it is cheapest.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from trainingrun_trainer.convert.errors import ConvertError

# Modes whose pixels NumPy can hold as they are; all others have a palette, an alpha channel or other colours.
KEPT_MODES = frozenset({"L", "RGB", "I", "F", "I;16"})
GREY_MODES = frozenset({"1", "LA", "La"})


@dataclass(frozen=True)
class PictureFormat:
    """What every picture is made into: height and width in pixels, and L or RGB. None keeps what it has."""

    size: tuple[int, int] | None = None
    mode: str | None = None

    @property
    def given(self) -> bool:
        """Whether pictures change at all."""
        return self.size is not None or self.mode is not None


def as_array(value: Any) -> Any:
    """Return tensors and pictures as arrays, everything else as it is."""
    if isinstance(value, Image.Image):
        return picture_array(value, PictureFormat())
    if hasattr(value, "detach") and hasattr(value, "numpy"):
        return value.detach().cpu().numpy()
    return value


def as_input(value: Any, wanted: PictureFormat, where: str) -> Any:
    """Return the input of a row as an array; encoded pictures (PNG, JPEG, ...) are decoded.

    Raises ConvertError when the bytes are not an image, or `wanted` is given for something that is not one.
    """
    if isinstance(value, dict) and "bytes" in value:
        value = value["bytes"]
    if isinstance(value, bytes):
        value = _decode(value, where)
    if isinstance(value, Image.Image):
        return picture_array(value, wanted)
    array = as_array(value)
    return _reshaped(array, wanted, where) if wanted.given else array


def picture_array(picture: Image.Image, wanted: PictureFormat) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a picture as (height, width) or (height, width, 3), uint8 unless its mode is wider."""
    mode = wanted.mode or _kept_mode(picture.mode)
    if picture.mode != mode:
        picture = picture.convert(mode)
    if wanted.size is not None and (picture.height, picture.width) != wanted.size:
        height, width = wanted.size
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def _kept_mode(mode: str) -> str:
    if mode in KEPT_MODES:
        return mode
    return "L" if mode in GREY_MODES else "RGB"


def _decode(data: bytes, where: str) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(data))
        picture.load()
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ConvertError(f"{where}: found {len(data)} bytes that are not an image ({error})") from error
    return picture


def _reshaped(array: Any, wanted: PictureFormat, where: str) -> Any:
    pixels = np.asarray(array)
    colours = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or colours):
        raise ConvertError(
            f"{where}: --size and --mode change only images (uint8, height x width or height x width x 3), "
            f"found {pixels.dtype} of shape {'x'.join(map(str, pixels.shape)) or 'one number'}"
        )
    return picture_array(Image.fromarray(pixels), wanted)
