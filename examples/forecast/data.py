"""Writes the series of this example, cut into windows: `python data.py FOLDER`."""

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
    time = np.arange(28) + generator.uniform(0, 100, (rows, 1))
    series = np.sin(time * generator.uniform(0.25, 0.45, (rows, 1))) + generator.normal(0, 0.05, (rows, 28))
    values = series.astype(np.float32)
    window = pa.list_(pa.list_(pa.float32()))
    return pa.table(
        {"window": values[:, :24, None].tolist(), "next": values[:, 24:].tolist()},
        schema=pa.schema({"window": window, "next": pa.list_(pa.float32())}),
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
