"""Writes the points of this example: `python data.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def make(folder: Path) -> None:
    """Write `train` and `validation` below `folder`."""
    generator = np.random.default_rng(0)
    for part, rows in (("train", 2000), ("validation", 400)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        pq.write_table(_rows(generator, rows), folder / part / "points.parquet", row_group_size=256)


def _rows(generator: np.random.Generator, rows: int) -> pa.Table:
    """Points on two half circles that reach into each other, and on which of them each is."""
    label = generator.integers(0, 2, rows)
    angle = np.pi * (generator.random(rows) + label)
    noise = generator.normal(0, 0.08, (2, rows))
    x, y = np.cos(angle) + label, np.sin(angle) + 0.5 * label
    return pa.table({"x": x + noise[0], "y": y + noise[1], "label": label})


if __name__ == "__main__":
    make(Path(sys.argv[1]))
