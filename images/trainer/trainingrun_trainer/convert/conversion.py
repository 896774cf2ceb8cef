"""A conversion from one end to the other: open, order, write, publish, or leave nothing behind."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import yaml

from trainingrun_trainer.convert.destinations import Destination, open_destination
from trainingrun_trainer.convert.errors import ConvertError, UsageError
from trainingrun_trainer.convert.hold_out import TRAIN, hold_out, require_hold_out
from trainingrun_trainer.convert.images import PictureFormat
from trainingrun_trainer.convert.opening import Access, open_source
from trainingrun_trainer.convert.parquet import Written, class_metadata, sizes_for, write_parts
from trainingrun_trainer.convert.settling import settled
from trainingrun_trainer.convert.shuffle import Arranged, arrange
from trainingrun_trainer.convert.sources import Naming
from trainingrun_trainer.convert.types import TYPE_WORDS
from trainingrun_trainer.data.formats.text_types import arrow_type

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Converted:
    """What a conversion wrote: `size` in bytes on disk, `seconds` from the first row to the last rename."""

    path: str
    rows: int
    files: int
    size: int
    seconds: float
    dataset: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def yaml(self) -> str:
        """The part of a TrainingRun's recipe that reads these files."""
        text: str = yaml.safe_dump({"dataset": dict(self.dataset)}, sort_keys=False)
        return text


def convert(
    source: Any,
    destination: str | os.PathLike[str],
    *,
    split: str = "train",
    hold_out_percent: float | None = None,
    rows_per_file: int | None = None,
    row_group_rows: int | None = None,
    shuffle: bool = True,
    seed: int = 0,
    limit: int | None = None,
    size: tuple[int, int] | None = None,
    mode: str | None = None,
    overwrite: bool = False,
    input_column: str = "image",
    target_column: str = "label",
    types: Mapping[str, str] | None = None,
    classes_from: str | None = None,
    root: str = "data",
    download: bool = False,
    options: Mapping[str, Any] | None = None,
    on_progress: Progress | None = None,
) -> Converted:
    """Write a dataset as Parquet files; arrays are read without decoding, as fixed-size bytes.

    `source` is what `trainingrun convert` takes as SOURCE, or an object: a DataFrame, a torch Dataset, a
    mapping of names to arrays of shape (rows, ...), or rows (mappings, or pairs of input and target). `size`
    is (height, width) in pixels. `destination` is a folder or a URI; it appears when it is complete. With
    `hold_out_percent` the training split is shared out: split `validation` gets that share of it, `train` the rest.
    Columns keep their types but for those in `types`, such as `{"image": "uint8"}`, which have to fit every value.

    Labels of images in class folders are numbered as in the folder `classes_from`, where it is given.

    Raises UsageError for wrong arguments, ConvertError or LayoutError for data that cannot be converted.
    """
    _require_positive(rows_per_file=rows_per_file, row_group_rows=row_group_rows, limit=limit)
    _require_picture_format(size, mode)
    require_hold_out(hold_out_percent, split)
    target = open_destination(os.fspath(destination), overwrite=overwrite)
    naming = Naming(input_column, target_column, PictureFormat(size, mode))
    access = Access(split if hold_out_percent is None else TRAIN, root, download, options or {}, classes_from)
    wanted = _types(types or {})
    opened = settled(open_source(source, access, naming), naming, wanted)
    if hold_out_percent is not None:
        opened = hold_out(opened, hold_out_percent, split, seed)
    # Importing torchvision and downloading are over: what is timed from here on grows with the rows.
    started = time.monotonic()
    arranged = arrange(opened, shuffle=shuffle, seed=seed, limit=limit)
    written = _write(arranged, target, opened.classes, rows_per_file, row_group_rows, on_progress)
    seconds = time.monotonic() - started
    notes = _notes(target, opened.notes, arranged, written, naming)
    dataset = _dataset(target.path, split, naming)
    return Converted(target.path, written.rows, len(written.files), written.size, seconds, dataset, notes)


def _write(
    arranged: Arranged,
    target: Destination,
    classes: tuple[str, ...],
    rows_per_file: int | None,
    row_group_rows: int | None,
    on_progress: Progress | None,
) -> Written:
    first = next(arranged.chunks, None)
    if first is None:
        raise ConvertError("SOURCE has no rows; at least one is needed")
    sizes = sizes_for(first, arranged, file_rows=rows_per_file, row_group_rows=row_group_rows)
    chunks = itertools.chain([first], arranged.chunks)

    def report(rows: int) -> None:
        if on_progress is not None:
            on_progress(rows, arranged.rows)

    try:
        target.prepare()
        written = write_parts(chunks, target, sizes, class_metadata(classes, arranged.rows), report)
        target.publish({"rows": written.rows, "bytes": written.size, "files": written.files})
    except BaseException:
        target.discard()
        raise
    return written


def _dataset(path: str, split: str, naming: Naming) -> dict[str, Any]:
    part = "train" if split == "train" else "validation"
    dataset: dict[str, Any] = {part: {"format": "Parquet", "path": path}}
    if naming.input_column != Naming.input_column:
        dataset["inputColumn"] = naming.input_column
    if naming.target_column != Naming.target_column:
        dataset["targetColumn"] = naming.target_column
    return dataset


def _notes(
    target: Destination, found: tuple[str, ...], arranged: Arranged, written: Written, naming: Naming
) -> tuple[str, ...]:
    notes = [*target.notes, *found]
    if arranged.note:
        notes.append(arranged.note)
    if written.schema is not None and naming.target_column not in written.schema.names:
        notes.append(f"there is no column {naming.target_column}: name the target with --target-column")
    return tuple(notes)


def _types(texts: Mapping[str, str]) -> dict[str, pa.DataType]:
    types: dict[str, pa.DataType] = {}
    for name, text in texts.items():
        try:
            types[name] = arrow_type(text)
        except ValueError as error:
            raise UsageError(f"--type {name}={text}: allowed: {TYPE_WORDS}") from error
    return types


def _require_picture_format(size: tuple[int, int] | None, mode: str | None) -> None:
    if mode not in {None, "L", "RGB"}:
        raise UsageError(f"--mode: found {mode}, allowed: L, RGB")
    if size is not None and min(size) < 1:
        raise UsageError(f"--size: found {size[0]},{size[1]}, allowed: 1 pixel or more each")


def _require_positive(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise UsageError(f"--{name.replace('_', '-')}: found {number}, allowed: 1 or more")
