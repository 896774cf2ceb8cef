"""What a conversion has written, read back and compared: for the tests of its sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset
import pyarrow.parquet as pq

from trainingrun_trainer.convert import convert
from trainingrun_trainer.data.layout import layouts_of, to_numpy


def read(folder: Path | str, name: str = "image", target: str = "label") -> tuple[np.ndarray, np.ndarray]:
    table = pyarrow.dataset.dataset(folder, format="parquet").to_table()
    schema = pq.read_schema(next(Path(folder).glob("*.parquet")))
    array = to_numpy(table[name], layouts_of(schema)[name])
    return array, table[target].to_numpy()


def in_order(source: Any, folder: Path, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    convert(source, folder, shuffle=False, **options)
    return read(folder)


def require_same(found: tuple[np.ndarray, np.ndarray], pixels: np.ndarray, labels: np.ndarray) -> None:
    assert found[0].dtype == pixels.dtype
    assert found[0].shape == pixels.shape
    assert found[0].tobytes() == np.ascontiguousarray(pixels).tobytes()
    assert found[1].dtype == labels.dtype
    assert (found[1] == labels).all()
