"""Images in folders: the folder's name is the class, as in torchvision's ImageFolder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data import READ_BYTES, layout
from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.files import find_files, open_file
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_FILES_PER_PIECE = 256


class Images:
    """Groups of image files with the class index of their folder."""

    def list_pieces(self, source: Source) -> list[Piece]:
        """Pieces of up to 256 files taken from every class alike: files of one folder side by side train badly."""
        files = find_files(source.field + ".path", source.path, SUFFIXES)
        classes = source.classes or class_names(source)
        index = {name: number for number, name in enumerate(classes)}
        for file in files:
            if _class_of(file.path) not in index:
                raise InvalidConfiguration(
                    f'{source.field}.path: "{file.path}" is of class "{_class_of(file.path)}", which the training data '
                    f"does not have; allowed: {', '.join(classes[:20])}"
                )
        mixed = np.random.default_rng(0).permutation(len(files))
        groups = [mixed[start : start + _FILES_PER_PIECE] for start in range(0, len(mixed), _FILES_PER_PIECE)]
        return [
            Piece(
                index=number,
                paths=tuple(files[i].path for i in group),
                labels=tuple(index[_class_of(files[i].path)] for i in group),
                rows=len(group),
                size_bytes=sum(files[i].size_bytes for i in group),
            )
            for number, group in enumerate(groups)
        ]

    def read(self, source: Source, piece: Piece) -> Iterator[pa.Table]:
        """The decoded images as uint8 (height, width) or (height, width, 3), with their labels."""
        rows = ((path, decode(source, path, _bytes_of(path))) for path in piece.paths)
        labels = iter(piece.labels)
        for images in same_shape(source, rows, most_rows=_FILES_PER_PIECE):
            yield table_of(source, images, [next(labels) for _ in images])


def class_names(source: Source) -> tuple[str, ...]:
    """The classes of an image folder, sorted: an image's label is its class's place. Raises InvalidConfiguration."""
    files = find_files(source.field + ".path", source.path, SUFFIXES)
    classes = tuple(sorted({_class_of(file.path) for file in files}))
    if len(classes) < 2:
        raise InvalidConfiguration(
            f'{source.field}.path: found images of one folder only ("{classes[0]}") at "{source.path}"; '
            "allowed: one folder per class"
        )
    return classes


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
                f"{name}: found an image of shape {image.shape}, others have {shape}; "
                f"set {source.field}.imageSize to give all images one size, and imageMode to give them one colour mode"
            )
        gathered.append(image)
        if len(gathered) == min(most_rows, max(1, READ_BYTES // image.nbytes)):
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def table_of(source: Source, images: list[np.ndarray], labels: list[int]) -> pa.Table:
    """Images of one shape and their labels as a table of the source's two columns."""
    field, array = layout.from_numpy(source.input_column, np.stack(images))
    target = pa.field(source.target_column, pa.int64())
    return pa.table([array, pa.array(labels, pa.int64())], schema=pa.schema([field, target]))


def decode(source: Source, path: str, data: bytes) -> np.ndarray:
    """The pixels of an encoded image, uint8 of (height, width) or (height, width, channels)."""
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode.startswith(("I", "F")):
                # Pillow would cut every value above 255 down to it.
                raise DataError(
                    f"{path}: found pixels wider than 8 bits (mode {image.mode}), allowed: 8 bits; "
                    "trainingrun convert keeps wide pixels in Parquet"
                )
            mode = source.image_mode or ("L" if image.mode in ("1", "L") else "RGB")
            converted = image.convert(mode)
            if source.image_size:
                height, width = source.image_size
                converted = converted.resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(converted, dtype=np.uint8)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable image ({len(data)} bytes): {error}") from error


def _bytes_of(path: str) -> bytes:
    try:
        with open_file(path) as file:
            return file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _class_of(path: str) -> str:
    return PurePosixPath(path).parent.name
