"""Writes the pairs of this example: `python data.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def make(folder: Path) -> None:
    """Write `train` and `validation` below `folder`."""
    generator = np.random.default_rng(0)
    for part, rows in (("train", 1536), ("validation", 256)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        pq.write_table(_rows(generator, rows), folder / part / "rows.parquet", row_group_size=256)


def _rows(generator: np.random.Generator, rows: int) -> pa.Table:
    seen = np.random.default_rng(1)
    hidden = generator.normal(0, 1, (rows, 6))
    left = hidden @ seen.normal(0, 1, (6, 10)) + generator.normal(0, 0.05, (rows, 10))
    right = np.tanh(hidden @ seen.normal(0, 0.5, (6, 14))) + generator.normal(0, 0.05, (rows, 14))
    lists = pa.list_(pa.float32())
    return pa.table(
        {"left": left.astype(np.float32).tolist(), "right": right.astype(np.float32).tolist()},
        schema=pa.schema({"left": lists, "right": lists}),
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
