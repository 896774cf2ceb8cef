"""One encoded picture made an array: the only decoder, for training and for `trainingrun convert` alike.

Which files and columns hold pictures is the caller's business.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError

# MPO is what telephones write: a JPEG with others behind it.
_JPEGS = ("JPEG", "MPO")
_JPEG_MODES = ("L", "RGB")


def picture_advice(source: Source) -> str:
    """What to do about pictures that differ, as the end of a sentence."""
    return f"; set {source.field}.imageSize to give all images one size, and imageMode to give them one colour mode"


def decode(source: Source, path: str, data: bytes, *, keeps_wide: bool = False) -> np.ndarray:
    """The pixels of an encoded image, of shape (height, width) or (height, width, channels). Raises DataError.

    They are uint8. With `keeps_wide` those of more than 8 bits stay as they are; without, they are refused.
    """
    return _opened(source, path, data, functools.partial(pixels, path=path, keeps_wide=keeps_wide))


def header(source: Source, path: str, data: bytes) -> np.ndarray:
    """An array of the shape that `decode` would return, which takes no memory: only the header is read."""
    return _opened(source, path, data, functools.partial(_blank, path=path))


def pixels(source: Source, image: Any, *, path: str, keeps_wide: bool = False) -> np.ndarray:
    """The same of an image of Pillow."""
    _refuse_wide(source, image, path, keeps_wide)
    mode = _mode(source, image)
    if source.image_size is None:
        return np.asarray(image.convert(mode))
    return np.asarray(_resized(image, mode, source.image_size))


def _resized(image: Any, mode: str, size: tuple[int, int]) -> Any:
    """The image in this mode and of this (height, width), by Pillow's antialiased bilinear filter.

    A JPEG is decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 of its size that is not below `size`, and to grey values
    from its brightness alone: several times faster for photographs, and close to what its full size would give.
    """
    from PIL import Image

    height, width = size
    box = None
    if image.format in _JPEGS and image.mode in _JPEG_MODES:
        drafted = image.draft(mode, (width, height))
        # The last column of pixels may stand for less than the others.
        box = drafted[1] if drafted else None
    # Grey values are the same in three channels; elsewhere colours have to be there before they are mixed.
    is_grey = image.mode == "L"
    resized = (image if is_grey else image.convert(mode)).resize((width, height), Image.Resampling.BILINEAR, box=box)
    return resized.convert(mode) if is_grey else resized


def _blank(source: Source, image: Any, *, path: str) -> np.ndarray:
    """An array of the shape that the picture will have, which takes no memory: nothing is decoded."""
    _refuse_wide(source, image, path, keeps_wide=False)
    shape = source.image_size or (image.height, image.width)
    return np.broadcast_to(np.uint8(0), shape if _mode(source, image) == "L" else (*shape, 3))


def _mode(source: Source, image: Any) -> str:
    if _is_wide(image):
        return str(image.mode)
    return source.image_mode or ("L" if image.mode in ("1", "L") else "RGB")


def _is_wide(image: Any) -> bool:
    return str(image.mode).startswith(("I", "F"))


def _refuse_wide(source: Source, image: Any, path: str, keeps_wide: bool) -> None:
    # Pillow would cut every value above 255 down to it.
    if _is_wide(image) and (not keeps_wide or source.image_mode):
        way_out = "no other mode can be asked for" if keeps_wide else "trainingrun convert keeps wide pixels in Parquet"
        raise DataError(f"{path}: found pixels wider than 8 bits (mode {image.mode}), allowed: 8 bits; {way_out}")


def _opened(source: Source, path: str, data: bytes, read: Callable[[Source, Any], np.ndarray]) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            return read(source, image)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable image ({len(data)} bytes): {error}") from error
