"""Images in folders: the folder's name is the class, as in torchvision's ImageFolder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data import READ_BYTES, layout
from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.files import File, find_files, open_file, root_of
from trainingrun_trainer.data.found import Found
from trainingrun_trainer.data.pictures import decode, same_shape
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
# Folders of these names hold classes of their own: nobody trains to tell a training set from a test set.
SPLITS = frozenset({"train", "test", "val", "valid", "validation"})
_FILES_PER_PIECE = 256


class Images:
    """Groups of image files with the class index of their folder: the first one below the path, as in ImageFolder."""

    suffixes: tuple[str, ...] = SUFFIXES

    def find(self, source: Source) -> Found:
        """Pieces of up to 256 files taken from every class alike: files of one folder side by side train badly."""
        files = find_files(source.field + ".path", source.path, SUFFIXES)
        of_file = _classes_of(source, files)
        classes = source.classes or _class_names(source, of_file)
        index = {name: number for number, name in enumerate(classes)}
        for file, name in zip(files, of_file, strict=True):
            if name not in index:
                raise InvalidConfiguration(
                    f'{source.field}.path: "{file.path}" is of class "{name}", which the training data '
                    f"does not have; allowed: {', '.join(classes[:20])}"
                )
        mixed = np.random.default_rng(0).permutation(len(files))
        groups = [mixed[start : start + _FILES_PER_PIECE] for start in range(0, len(mixed), _FILES_PER_PIECE)]
        pieces = [
            Piece(
                index=number,
                paths=tuple(files[i].path for i in group),
                labels=tuple(index[of_file[i]] for i in group),
                rows=len(group),
                size_bytes=sum(files[i].size_bytes for i in group),
            )
            for number, group in enumerate(groups)
        ]
        return Found(dataclasses.replace(source, classes=classes), pieces)

    def read(self, source: Source, piece: Piece, table_bytes: int = READ_BYTES) -> Iterator[pa.Table]:
        """The decoded images as uint8 (height, width) or (height, width, 3), with their labels."""
        rows = ((path, decode(source, path, _bytes_of(path))) for path in piece.paths)
        labels = iter(piece.labels)
        for images in same_shape(source, rows, most_rows=_FILES_PER_PIECE):
            yield table_of(source, images, [next(labels) for _ in images])


def _classes_of(source: Source, files: list[File]) -> list[str]:
    """The class of each file. Raises InvalidConfiguration for a file beside the folders, and for folders of splits."""
    below = [PurePosixPath(file.path.removeprefix(root_of(source.path)).lstrip("/")).parts for file in files]
    loose = [file.path for file, parts in zip(files, below, strict=True) if len(parts) < 2]
    if len(loose) == len(files):
        return [PurePosixPath(path).parent.name for path in loose]
    if loose:
        raise InvalidConfiguration(
            f'{source.field}.path: "{loose[0]}" is in no class\'s folder; allowed: one folder per class, and no images '
            "beside them"
        )
    classes = [parts[0] for parts in below]
    splits = sorted(set(classes))
    if SPLITS.issuperset(splits):
        raise InvalidConfiguration(
            f'{source.field}.path: found the splits {", ".join(splits)} at "{source.path}"; allowed: one of them, such '
            f'as "{source.path.rstrip("/")}/{splits[0]}"'
        )
    return classes


def _class_names(source: Source, of_file: list[str]) -> tuple[str, ...]:
    """The classes of an image folder, sorted: an image's label is its class's place. Raises InvalidConfiguration."""
    classes = tuple(sorted(set(of_file)))
    if len(classes) < 2:
        raise InvalidConfiguration(
            f'{source.field}.path: found images of one folder only ("{classes[0]}") at "{source.path}"; '
            "allowed: one folder per class"
        )
    return classes


def table_of(source: Source, images: list[np.ndarray], labels: list[int]) -> pa.Table:
    """Images of one shape and their labels as a table of the source's two columns."""
    field, array = layout.from_numpy(source.inputs[0], np.stack(images))
    target = pa.field(source.targets[0] if source.targets else "label", pa.int64())
    return pa.table([array, pa.array(labels, pa.int64())], schema=pa.schema([field, target]))


def _bytes_of(path: str) -> bytes:
    try:
        with open_file(path) as file:
            return file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
