"""Files of every format that training reads, through the very readers that training uses.

So a dataset that is converted has the rows, classes and types that it has when it is read directly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.convert.chunks import rows_within
from trainingrun_trainer.convert.errors import ConvertError
from trainingrun_trainer.convert.images import decode_picture
from trainingrun_trainer.convert.sources import Indexed, Naming, Stream, from_items
from trainingrun_trainer.data.files import find_files, open_file, root_of
from trainingrun_trainer.data.formats import format_of, formats
from trainingrun_trainer.data.formats.images import SPLITS
from trainingrun_trainer.data.found import Found
from trainingrun_trainer.data.layout import layouts_of, to_numpy
from trainingrun_trainer.data.picture_columns import carried, is_carried, is_encoded, pictures_of
from trainingrun_trainer.data.source import Source as Dataset
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration

# The first one of which a folder has files is the folder's format: pictures often lie beside a table that describes
# them, and tables beside a JSON file that describes the dataset.
ORDER = ("Parquet", "WebDataset", "Images", "CSV", "JSON")
FIELD = "SOURCE"
_GLOB = re.compile(r"[*?\[]")
DECODED_BYTES = 8 * 1024 * 1024


def format_at(path: str) -> str | None:
    """Return the format of a file by its name, or of a folder or glob by its files'; None for other names."""
    by_name = _format_of_name(path)
    is_here = "://" in path or Path(path).exists() or bool(_GLOB.search(path))
    if by_name is not None and not is_here:
        raise ConvertError(f"{path}: no such file")
    if by_name is not None or not is_here:
        return by_name
    try:
        files = find_files(FIELD, path, tuple(suffix for form in formats().values() for suffix in form.suffixes))
    except InvalidConfiguration as error:
        raise _refused(error) from error
    found = {_format_of_name(file.path) for file in files}
    return next((name for name in ORDER if name in found), None)


def from_files(path: str, format_name: str, naming: Naming) -> Stream:
    """Return the rows of files in one format, in the order of the files. Pictures in the input column are decoded."""
    found = _found(path, format_name, naming)
    notes = tuple(notice.removeprefix(f"{FIELD}: ") for notice in found.notices)
    return Stream(_decoded(_tables(found), naming), notes=notes, ragged=found.source.ragged)


def from_folder(path: str, split: str, naming: Naming, classes_from: str | None = None) -> Indexed:
    """Return the pictures of a folder of class folders, or of its folder `split` where it has splits.

    A label is the place of its class among those of `classes_from`, the training images; without it, where the folder
    has the split `train`, among those of that, as when training reads both.
    """
    folder, train = _with_split(path, split)
    training_images = classes_from or train
    classes = _found(training_images, "Images", naming).source.classes if training_images else None
    found = _found(folder, "Images", naming, classes)
    pairs = sorted(pair for piece in found.pieces for pair in zip(piece.paths, piece.labels, strict=True))
    pictures = _Pictures(pairs, naming)
    # Pictures are made to size while they are decoded, so what follows must not do it again.
    plain = Naming(naming.input_column, naming.target_column)
    return replace(from_items(pictures, plain, classes=found.source.classes or (), where=pictures.where), is_typed=True)


class _Pictures:
    """Files of pictures with their labels, by number."""

    def __init__(self, files: Sequence[tuple[str, int]], naming: Naming):
        self._files = files
        self._naming = naming

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        path, label = self._files[index]
        try:
            with open_file(path) as file:
                data = file.read()
        except OSError as error:
            raise ConvertError(f"{path}: cannot be read: {error}") from error
        return decode_picture(data, self._naming.pictures, path), label

    def where(self, index: int) -> str:
        """Name a row by its file."""
        return self._files[index][0]


def _found(path: str, format_name: str, naming: Naming, classes: tuple[str, ...] | None = None) -> Found:
    source = Dataset(
        FIELD,
        format_name,
        path,
        image_size=naming.pictures.size,
        image_mode=naming.pictures.mode,
        inputs=(naming.input_column,),
        targets=(naming.target_column,),
        classes=classes,
    )
    try:
        return format_of(source).find(source)
    except InvalidConfiguration as error:
        raise _refused(error) from error


def _tables(found: Found) -> Iterator[pa.Table]:
    for piece in found.pieces:
        first = 0
        try:
            for table in format_of(found.source).read(found.source, piece):
                yield carried(found.source, piece.paths[0], table, first)
                first += table.num_rows
        except DataError as error:
            raise _refused(error) from error


def _decoded(tables: Iterator[pa.Table], naming: Naming) -> Iterator[pa.Table]:
    """The tables with pictures in the input column as arrays, in parts that stay small when they are decoded."""
    name = naming.input_column
    stacker = naming.stacker()
    row = 0
    for table in tables:
        is_array = name in layouts_of(table.schema)
        kind = table.schema.field(name).type if name in table.column_names else None
        if kind is None or not (naming.pictures.given or is_encoded(kind)):
            yield table
            row += table.num_rows
            continue
        start, rows = 0, 1
        while start < table.num_rows:
            part = table.slice(start, rows)
            values = _arrays(part, name) if is_array else _values(part.column(name))
            place = part.schema.get_field_index(name)
            part = part.set_column(place, *stacker.column(name, values, range(row, row + part.num_rows)))
            yield part
            start, row = start + part.num_rows, row + part.num_rows
            rows = rows_within(DECODED_BYTES, part, at_most=table.num_rows)


def _values(column: pa.ChunkedArray) -> list[Any]:
    return list(pictures_of(column)) if is_carried(column.type) else column.to_pylist()


def _arrays(table: pa.Table, name: str) -> list[np.ndarray[Any, Any]]:
    return list(to_numpy(table.column(name), layouts_of(table.schema)[name], name=name))


def _with_split(path: str, split: str) -> tuple[str, str | None]:
    """The folder of the split, and that of the training images where there are both; a folder without splits itself."""
    if "://" not in path and not Path(path).exists() and not _GLOB.search(path):
        raise ConvertError(f"{path}: no such folder")
    try:
        files = find_files(FIELD, path, formats()["Images"].suffixes)
    except InvalidConfiguration as error:
        raise _refused(error) from error
    found = {file.path.removeprefix(root_of(path)).strip("/").split("/")[0] for file in files}
    if not found <= SPLITS:
        return path, None
    if split not in found:
        raise ConvertError(f"{path}: found the splits {', '.join(sorted(found))}, not {split}")
    root = path.rstrip("/")
    return f"{root}/{split}", f"{root}/train" if "train" in found - {split} else None


def _refused(error: Exception) -> ConvertError:
    return ConvertError(str(error).replace(f"{FIELD}.path", FIELD))


def _format_of_name(path: str) -> str | None:
    name = path.lower()
    return next((form for form, reader in formats().items() if name.endswith(reader.suffixes)), None)
