"""Writes the pictures and masks of this example: `python data.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def make(folder: Path) -> None:
    """Write `train` and `validation` below `folder`."""
    generator = np.random.default_rng(0)
    for part, rows in (("train", 600), ("validation", 150)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        pq.write_table(_rows(generator, rows), folder / part / "rows.parquet", row_group_size=256)


def _rows(generator: np.random.Generator, rows: int) -> pa.Table:
    down, across = np.mgrid[:20, :20]
    centres = generator.integers(4, 16, (rows, 2, 1, 1))
    masks = (down - centres[:, 0]) ** 2 + (across - centres[:, 1]) ** 2 <= generator.integers(5, 15, (rows, 1, 1))
    # Single bright pixels are noise: only the neighbourhood tells a disc.
    pictures = generator.integers(0, 256, masks.shape) * (generator.random(masks.shape) < 0.2)
    pictures = np.where(masks, generator.integers(120, 256, masks.shape), pictures)
    return pa.table(
        {"picture": pictures.astype(np.uint8).tolist(), "mask": masks.astype(np.uint8).tolist()},
        schema=pa.schema({name: pa.list_(pa.list_(pa.uint8())) for name in ("picture", "mask")}),
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
