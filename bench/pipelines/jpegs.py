"""The league's JPEGs as a column of bytes, and the transform that makes tensors of 224 pixels of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from bench.league.data_sets import make_jpeg
from bench.league.torch_rows import decoded

TRANSFORM = "bench.pipelines.jpegs:decode"
_GROUP_ROWS = 500


def decode(row: dict[str, Any]) -> dict[str, Any]:
    """uint8 (3, 224, 224), on one thread: a data worker has one CPU."""
    torch.set_num_threads(1)
    return {**row, "image": decoded(row["image"])}


def make_jpeg_rows(folder: Path, rows: int) -> Path:
    """A folder of one Parquet file as `write_jpeg_rows` writes it; made once."""
    path, files = folder / f"jpeg-rows-{rows}", folder / f"jpeg-{rows}"
    if not path.exists():
        if not files.exists():
            make_jpeg(files, rows)
        path.mkdir()
        write_jpeg_rows(files, rows, path)
    return path


def write_jpeg_rows(files: Path, rows: int, path: Path) -> None:
    """One Parquet file with columns `number` and `image` in the folder `path`."""
    images = [(files / f"{row:05d}.jpg").read_bytes() for row in range(rows)]
    table = pa.table({"number": range(rows), "image": pa.array(images, pa.binary())})
    pq.write_table(table, path / "rows.parquet", row_group_size=_GROUP_ROWS, compression="none")
