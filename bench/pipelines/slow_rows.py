"""Rows whose transform sleeps: so many of them a second are due from a CPU, on any machine, however many there are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

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


def sleep(row: dict[str, Any]) -> dict[str, Any]:
    """What a slow transform of a row is like, without needing a processor; and how long it took, in `slept`.

    A sleep lasts longer than it is told to, the more so on a busy machine: that is not the data path's doing.
    """
    began = time.perf_counter()
    time.sleep(_SLEEP_SECONDS)
    return {**row, "slept": time.perf_counter() - began}


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
