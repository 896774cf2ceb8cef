"""Writes the table of this example: `python data.py FOLDER`. Prices are in 100,000 euros."""

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
    area = generator.uniform(0.4, 2.4, rows)  # in 100 square metres
    number = np.clip(np.round(area * 2 + generator.normal(0, 0.7, rows)), 1, 7)
    age = generator.uniform(0, 1, rows)  # in centuries
    distance = generator.exponential(1, rows)  # from the centre, in 10 kilometres
    price = 2.5 * area + 0.2 * number - 0.8 * age + 1.5 * np.exp(-distance) + generator.normal(0, 0.1, rows)
    return pa.table({"area": area, "rooms": number, "age": age, "distance": distance, "price": price})


if __name__ == "__main__":
    make(Path(sys.argv[1]))
