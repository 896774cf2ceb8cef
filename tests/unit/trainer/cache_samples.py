"""Slabs, bundles and caches for the tests of what keeps prepared rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.cache import Cache
from trainingrun_trainer.data.cache_entry import BadRow, Entry
from trainingrun_trainer.data.consumed import ROW_ID, Piece, row_ids
from trainingrun_trainer.data.layout import from_numpy
from trainingrun_trainer.data.slabs import Bundle

KEY = "0123456789abcdef0123456789abcdef"
SLAB_BYTES = 1 << 20
PIECE = Piece(3, ("part.parquet",), 5000, 1000, 0, stamp="mtime=1")
BUNDLE = Bundle(3, (PIECE,))


def entry(number: int = 0, rows: int = 8) -> Entry:
    """The slab of this number, whose rows say so."""
    field, images = from_numpy("image", np.full((rows, 4, 6), number, np.uint8))
    ids = row_ids(PIECE, number * rows, rows)
    schema = pa.schema([field, pa.field("name", pa.string()), pa.field(ROW_ID, pa.int64())])
    table = pa.table([images, pa.array([f"slab {number}"] * rows), pa.array(ids)], schema=schema)
    return Entry(table, rows, True, (BadRow(7, "broken"),))


def cache_at(folder: Path | str, *, can_write: bool = True) -> Cache:
    return Cache(str(folder), KEY, can_write=can_write)


def slab_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.slab"))
