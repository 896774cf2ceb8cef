"""Writes the rows of this example, of which one in twenty is of class 1: `python data.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def make(folder: Path) -> None:
    """Write `train` and `validation` below `folder`."""
    generator = np.random.default_rng(0)
    for part, rows in (("train", 3000), ("validation", 600)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        pq.write_table(_rows(generator, rows), folder / part / "rows.parquet", row_group_size=256)


def _rows(generator: np.random.Generator, rows: int) -> pa.Table:
    label = generator.permutation(np.arange(rows) % 20 == 0).astype(np.int64)
    features = generator.normal(0, 1, (rows, 8)) + 0.9 * label[:, None]
    return pa.table(
        {"features": features.astype(np.float32).tolist(), "label": label},
        schema=pa.schema({"features": pa.list_(pa.float32()), "label": pa.int64()}),
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
