"""Blocks of rows as a data task has them: pictures, labels, names and the ids of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from author_modules import author

from trainingrun_trainer.data.consumed import ROW_ID, Piece, row_ids
from trainingrun_trainer.data.layout import from_numpy
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.transform import Chain


def pictures(rows: int, shape: tuple[int, ...] = (4, 6)) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (rows, *shape), dtype=np.uint8)


def block(rows: int = 6, shape: tuple[int, ...] = (4, 6)) -> pa.Table:
    """A block of piece 3 whose pictures lie in read-only memory, as they do in Ray's object store."""
    images = pa.py_buffer(pictures(rows, shape).tobytes())
    field, array = from_numpy("image", np.frombuffer(images, np.uint8).reshape(rows, *shape))
    schema = pa.schema(
        [field, pa.field("label", pa.int64()), pa.field("name", pa.string()), pa.field(ROW_ID, pa.int64())]
    )
    names = [f"row {row}" for row in range(rows)]
    ids = row_ids(Piece(3, ("x",), 1), 0, rows)
    return pa.table([array, pa.array(range(rows)), pa.array(names), pa.array(ids)], schema=schema)


def chain_of(name: str, kind: str, batch_format: str = "NumPy", *, training: bool = True, **settings: Any) -> Chain:
    """The chain of one step, whose function is in author_functions."""
    return Chain((Step(author(name), kind, batch_format, **settings),), training)
