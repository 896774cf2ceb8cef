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
    features = generator.normal(0, 1, (rows, 12))
    directions = np.random.default_rng(1).normal(0, 1, (12, 5))
    tags = features @ directions + generator.normal(0, 0.3, (rows, 5)) > 0.5
    lists = pa.list_(pa.float32())
    return pa.table(
        {"features": features.astype(np.float32).tolist(), "tags": tags.astype(np.float32).tolist()},
        schema=pa.schema({"features": lists, "tags": lists}),
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
