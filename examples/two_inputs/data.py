"""Writes the rows of this example: `python data.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def make(folder: Path) -> None:
    """Write `train` and `validation` below `folder`."""
    generator = np.random.default_rng(0)
    for part, rows in (("train", 1500), ("validation", 300)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        pq.write_table(_rows(generator, rows), folder / part / "rows.parquet", row_group_size=256)


def _rows(generator: np.random.Generator, rows: int) -> pa.Table:
    """The label says whether the bright half of the picture and the sign of the first reading agree."""
    is_top = generator.random(rows) < 0.5
    pictures = generator.integers(0, 100, (rows, 12, 12))
    pictures[is_top, :6] += 120
    pictures[~is_top, 6:] += 120
    readings = generator.normal(0, 1, (rows, 3))
    readings[:, 0] += np.sign(readings[:, 0]) * 0.3
    lists = pa.list_(pa.float32())
    return pa.table(
        {
            "picture": pictures.astype(np.uint8).tolist(),
            "readings": readings.astype(np.float32).tolist(),
            "label": (is_top == (readings[:, 0] > 0)).astype(np.int64),
        },
        schema=pa.schema({"picture": pa.list_(pa.list_(pa.uint8())), "readings": lists, "label": pa.int64()}),
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
