"""Writes the pictures of this example, each with 0 to 3 boxes: `python data.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def make(folder: Path) -> None:
    """Write `train` and `validation` below `folder`."""
    generator = np.random.default_rng(0)
    for part, rows in (("train", 800), ("validation", 150)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        pq.write_table(_rows(generator, rows), folder / part / "rows.parquet", row_group_size=256)


def _rows(generator: np.random.Generator, rows: int) -> pa.Table:
    pictures = generator.integers(0, 60, (rows, 16, 16))
    boxes: list[list[list[float]]] = []
    for picture in pictures:
        cells = generator.permutation(16)[: generator.integers(0, 4)]
        corners = [(4 * (cell // 4), 4 * (cell % 4)) for cell in cells]
        boxes.append([[top, left, *generator.integers(2, 4, 2)] for top, left in corners])
        for top, left, height, width in boxes[-1]:
            picture[int(top) : int(top + height), int(left) : int(left + width)] += 150
    return pa.table(
        {"picture": pictures.astype(np.uint8).tolist(), "boxes": boxes},
        schema=pa.schema({"picture": pa.list_(pa.list_(pa.uint8())), "boxes": pa.list_(pa.list_(pa.float32()))}),
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
