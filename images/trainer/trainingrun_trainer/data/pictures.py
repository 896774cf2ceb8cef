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
_COLOR_SPACES = {"L": "GRAY", "RGB": "RGB"}
# Those that libjpeg decodes from the whole blocks of a picture.
_FRACTIONS = (1, 2, 4, 8)


def picture_advice(source: Source) -> str:
    """What to do about pictures that differ, as the end of a sentence."""
    return f"; set {source.field}.imageSize to give all images one size, and imageMode to give them one colour mode"


def decode(source: Source, path: str, data: bytes, *, keeps_wide: bool = False) -> np.ndarray:
    """The pixels of an encoded image, of shape (height, width) or (height, width, channels). Raises DataError.

    They are uint8. With `keeps_wide` those of more than 8 bits stay as they are; without, they are refused.
    """

    def read(source: Source, image: Any) -> np.ndarray:
        found = _jpeg(source, image, data)
        return pixels(source, image, path=path, keeps_wide=keeps_wide) if found is None else _sized(source, found)

    return _opened(source, path, data, read)


def header(source: Source, path: str, data: bytes) -> np.ndarray:
    """An array of the shape that `decode` would return, which takes no memory: only the header is read."""
    return _opened(source, path, data, functools.partial(_blank, path=path))


def pixels(source: Source, image: Any, *, path: str, keeps_wide: bool = False) -> np.ndarray:
    """The same of an image of Pillow."""
    from PIL import Image

    _refuse_wide(source, image, path, keeps_wide)
    if _is_wide(image) and source.image_size:
        height, width = source.image_size
        return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return _sized(source, np.asarray(image.convert(_mode(source, image))))


def _jpeg(source: Source, image: Any, data: bytes) -> np.ndarray | None:
    """A JPEG's pixels, in half the time that Pillow needs; None for what is left to Pillow.

    With a size wanted they are those of the smallest of 1/1, 1/2, 1/4 and 1/8 of its size that is not below it, and
    grey values come from its brightness alone: several times faster for photographs, and close to the whole picture.
    """
    import simplejpeg

    mode = _mode(source, image)
    is_other_grey = source.image_size is None and mode != image.mode
    if image.format not in _JPEGS or image.mode not in _JPEG_MODES or is_other_grey:
        return None
    least = _reduced(image, source.image_size) if source.image_size else (0, 0)
    try:
        return _without_channel(
            simplejpeg.decode_jpeg(data, _COLOR_SPACES[mode], min_height=least[0], min_width=least[1])
        )
    except ValueError:
        # Pillow knows more of what can be forgiven, and its words are those of other formats.
        return None


def _reduced(image: Any, size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the fraction that is decoded. Other fractions than these are no faster."""
    fraction = max(n for n in _FRACTIONS if n == 1 or (image.height >= n * size[0] and image.width >= n * size[1]))
    return -(-image.height // fraction), -(-image.width // fraction)


def _without_channel(array: np.ndarray) -> np.ndarray:
    return array[:, :, 0] if array.shape[2] == 1 else array


def _sized(source: Source, array: np.ndarray) -> np.ndarray:
    """Pixels of 8 bits in the size that is wanted, by torch's antialiased bilinear filter, which is torchvision's."""
    if source.image_size is None or array.shape[:2] == source.image_size:
        return array
    import torch
    from torch.nn.functional import interpolate

    values = torch.from_numpy(np.require(array, requirements=["C", "W"]))[None]
    # In the order of axes that says to torch that each pixel's channels lie side by side, and stay so.
    planes = values.permute(0, 3, 1, 2) if array.ndim == 3 else values[None]
    resized = interpolate(planes, size=source.image_size, mode="bilinear", antialias=True)
    return (resized.permute(0, 2, 3, 1)[0] if array.ndim == 3 else resized[0, 0]).numpy()


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
