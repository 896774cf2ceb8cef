"""The league's JPEGs as a column of bytes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.league.data_sets import make_jpeg

_GROUP_ROWS = 500


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
