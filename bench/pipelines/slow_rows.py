"""Rows whose transform sleeps: so many of them a second are due from a CPU, on any machine, however many there are."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_SLEEP_SECONDS = 0.005
ROWS_PER_CPU = 1 / _SLEEP_SECONDS  # a second
TRANSFORM = "bench.pipelines.slow_rows:sleep"
_ROW_BYTES = 1000
# How the same rows lie in files: files, and row groups of each.
LAYOUTS = {"one_group": (1, 1), "many_files": (100, 1), "many_groups": (1, 100)}
TITLES = {
    "one_group": "one file with one row group",
    "many_files": "100 files",
    "many_groups": "one file with 100 row groups",
}


def sleep(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a slow transform is like, without needing a processor; and how long each row took, in `slept`.

    It sleeps once for all rows: a sleep is late by up to a millisecond on a busy machine, which is much of one row's.
    """
    began = time.perf_counter()
    rows = len(batch["number"])
    time.sleep(_SLEEP_SECONDS * rows)
    return {**batch, "slept": np.full(rows, (time.perf_counter() - began) / rows)}


def make_slow_rows(folder: Path, rows: int, layout: str) -> Path:
    """A folder of Parquet files with columns `number`, 0 to rows - 1, and `data`; made once."""
    path = folder / f"slow-{rows}-{layout}"
    if not path.exists():
        path.mkdir()
        files, groups = LAYOUTS[layout]
        data = np.random.default_rng(0).bytes(_ROW_BYTES)
        for number, part in enumerate(np.array_split(np.arange(rows), files)):
            table = pa.table({"number": part, "data": pa.array([data] * len(part), pa.binary())})
            pq.write_table(table, path / f"{number:03d}.parquet", row_group_size=-(-len(part) // groups))
    return path
