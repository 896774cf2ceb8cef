"""What is done to a unit's rows before the author's code: encoded pictures are fetched and decoded.

Apart from reading, so that the pictures of one row group are decoded by all data CPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.bad_rows import BadRow
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.layout import ArrayLayout, from_numpy
from trainingrun_trainer.data.picture_columns import Encoded, carried_columns, is_here, pictures_of
from trainingrun_trainer.data.pictures import decode, header, picture_advice
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.failures.outages import outage_of

# Of a sample: decoding hundreds of photographs would hold up a run's start.
_SAMPLE = 16


def prepare_rows(
    source: Source, layouts: Mapping[str, ArrayLayout], table: pa.Table
) -> tuple[pa.Table, tuple[BadRow, ...]]:
    """The rows with their pictures as uint8 arrays of the layouts, and those that were left out for want of one.

    A table without pictures, or whose pictures are decoded, comes back as it is. Rows are left out only where the
    source says so. Raises DataError naming file and row, always for a picture of another shape than the first ones.
    """
    names = carried_columns(table)
    if not names:
        return table, ()
    rows = _Rows(source, table)
    return _prepared(source, {name: layouts[name].shape for name in names}, table, rows), tuple(rows.bad)


def sample_of(source: Source, table: pa.Table) -> pa.Table:
    """The first rows decoded, after a look at the size and mode of every picture whose bytes are in the table.

    Raises DataError, also where rows may be left out and none of the first ones has a picture.
    """
    names = carried_columns(table)
    rows = _Rows(source, table)
    for name in names:
        has_bytes = is_here(table.column(name))
        pictures = pictures_of(table.column(name).filter(has_bytes))
        shape = None
        for place, picture in zip(np.flatnonzero(has_bytes), pictures, strict=True):
            found = rows.read(int(place), picture, header)
            shape = shape if found is None else _same_shape(source, picture, found, shape)
    if not names:
        return table
    first = rows.kept_of(table).slice(0, _SAMPLE)
    rows = rows if not first.num_rows else _Rows(source, first)
    sample = _prepared(source, dict.fromkeys(names), first, rows)
    if not sample.num_rows:
        raise DataError(f"{rows.bad[0].text}; none of the first {len(rows.bad)} rows has a picture that can be used")
    return sample


class _Rows:
    """Which rows of a table are good so far; the first bad one raises unless they may be left out."""

    def __init__(self, source: Source, table: pa.Table):
        self._source = source
        self._ids = table.column(ROW_ID).to_numpy() if ROW_ID in table.column_names else np.arange(table.num_rows)
        self.good = np.ones(table.num_rows, bool)
        self.bad: list[BadRow] = []

    def read(self, place: int, picture: Encoded, read: Callable[[Source, str, bytes], np.ndarray]) -> np.ndarray | None:
        """What `read` makes of the picture of the row at this place; None for a bad row. Raises DataError."""
        if not self.good[place]:
            return None
        try:
            return read(self._source, picture.where, picture.content())
        except DataError as error:
            if not self._source.skips_bad_rows:
                raise
            self.good[place] = False
            self.bad.append(BadRow(int(self._ids[place]), str(error), outage_of(error) is not None))
            return None

    def kept_of(self, table: pa.Table) -> pa.Table:
        """The table's good rows."""
        return table.filter(pa.array(self.good)) if self.bad else table


def _prepared(source: Source, shapes: Mapping[str, tuple[int, ...] | None], table: pa.Table, rows: _Rows) -> pa.Table:
    images = {name: _decoded(source, shape, table.column(name), rows) for name, shape in shapes.items()}
    table = rows.kept_of(table)
    for name, array in images.items():
        field, column = from_numpy(name, array[rows.good] if rows.bad else array)
        table = table.set_column(table.schema.get_field_index(name), field, column)
    return table


def _decoded(source: Source, shape: tuple[int, ...] | None, column: pa.ChunkedArray, rows: _Rows) -> np.ndarray:
    """The pictures of a column, uint8 of (rows, *shape), by default that of the first one; bad rows are anything."""
    images = None if shape is None else np.empty((len(column), *shape), np.uint8)
    for place, picture in enumerate(pictures_of(column)):
        image = rows.read(place, picture, decode)
        if image is None:
            continue
        shape = _same_shape(source, picture, image, shape)
        images = np.empty((len(column), *shape), np.uint8) if images is None else images
        images[place] = image
    return np.empty((len(column), 1), np.uint8) if images is None else images


def _same_shape(source: Source, picture: Encoded, image: np.ndarray, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is not None and image.shape != shape:
        raise DataError(
            f"{picture.where}: found an image of shape {image.shape}, others have {shape}{picture_advice(source)}"
        )
    return image.shape
