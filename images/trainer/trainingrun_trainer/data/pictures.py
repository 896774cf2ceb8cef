"""Encoded pictures, in files of their own or in a column of Parquet, made arrays of one shape.

Which files and columns hold pictures is the caller's business.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainingrun_trainer.data import READ_BYTES, layout
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError

# Of a sample: decoding hundreds of photographs would hold up a run's start.
_SAMPLE = 16


def is_encoded(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold encoded pictures: `binary`, or `struct<bytes, path>` of Hugging Face."""
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and is_encoded(kind.field(place).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def decoded(source: Source, path: str, table: pa.Table, first: int) -> Iterator[pa.Table]:
    """The table with its columns of encoded pictures as arrays, in parts of bounded size.

    `first` is the place of its first row in the piece. Raises DataError naming file, column and row.
    """
    names = [n for n in source.picture_columns if n in table.column_names and is_encoded(table.schema.field(n).type)]
    if not names:
        yield table
        return
    start = 0
    while start < table.num_rows:
        part = table.slice(start)
        for name in names:
            pictures = ((at, decode(source, at, data)) for at, data in _encoded(path, part, name, first + start))
            images = next(same_shape(source, pictures, most_rows=len(part)))
            part = part.slice(0, len(images))
            place = part.schema.get_field_index(name)
            part = part.set_column(place, *layout.from_numpy(name, np.stack(images)))
        yield part
        start += part.num_rows


def decoded_sample(source: Source, path: str, table: pa.Table) -> pa.Table:
    """The first rows decoded, after a look at the size and mode of every picture in the table. Raises DataError."""
    for name in source.picture_columns:
        if name in table.column_names and is_encoded(table.schema.field(name).type):
            encoded = _encoded(path, table, name, 0)
            headers = ((at, _opened(source, at, data, functools.partial(_blank, path=at))) for at, data in encoded)
            for _ in same_shape(source, headers, most_rows=1):
                pass
            table = table.slice(0, _SAMPLE)
    return next(decoded(source, path, table, 0), table)


def picture_advice(source: Source) -> str:
    """What to do about pictures that differ, as the end of a sentence."""
    return f"; set {source.field}.imageSize to give all images one size, and imageMode to give them one colour mode"


def same_shape(
    source: Source, images: Iterable[tuple[str, np.ndarray]], *, most_rows: int
) -> Iterator[list[np.ndarray]]:
    """Named images in groups of bounded size. Raises DataError naming the first whose shape is another."""
    gathered: list[np.ndarray] = []
    shape: tuple[int, ...] | None = None
    for name, image in images:
        shape = shape or image.shape
        if image.shape != shape:
            raise DataError(
                f"{name}: found an image of shape {image.shape}, others have {shape}{picture_advice(source)}"
            )
        gathered.append(image)
        if len(gathered) == min(most_rows, max(1, READ_BYTES // image.nbytes)):
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def decode(source: Source, path: str, data: bytes, *, keeps_wide: bool = False) -> np.ndarray:
    """The pixels of an encoded image, of shape (height, width) or (height, width, channels). Raises DataError.

    They are uint8. With `keeps_wide` those of more than 8 bits stay as they are; without, they are refused.
    """
    return _opened(source, path, data, functools.partial(pixels, path=path, keeps_wide=keeps_wide))


def pixels(source: Source, image: Any, *, path: str, keeps_wide: bool = False) -> np.ndarray:
    """The same of an image of Pillow."""
    from PIL import Image

    _refuse_wide(source, image, path, keeps_wide)
    converted = image.convert(_mode(source, image))
    if source.image_size:
        height, width = source.image_size
        converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(converted)


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


def _encoded(path: str, table: pa.Table, name: str, first: int) -> Iterator[tuple[str, bytes]]:
    """The bytes of each row's picture, with where they are."""
    column = table.column(name)
    values = pc.struct_field(column, "bytes") if pa.types.is_struct(column.type) else column
    for place, value in enumerate(values):
        where = f"{path}: column {name}, row {first + place}"
        if not value.is_valid:
            raise DataError(f"{where}: found no picture, expected the bytes of one in every row")
        yield where, value.as_py()
