"""Writes the texts of this example as token ids: `python data.py FOLDER`."""

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
    """Texts of 3 to 16 tokens. Those below 20 are good words, the next 20 bad ones; the others mean nothing."""
    lengths = generator.integers(3, 17, rows)
    mask = np.arange(16) < lengths[:, None]
    label = generator.integers(0, 2, rows)
    ids = generator.integers(40, 100, (rows, 16))
    telling = generator.random((rows, 16)) < 0.4
    telling[:, 0] = True
    ids = np.where(telling, generator.integers(0, 20, (rows, 16)) + 20 * label[:, None], ids)
    # What stands in the padding must not matter.
    ids = np.where(mask, ids, generator.integers(0, 40, (rows, 16)))
    lists = pa.list_(pa.int64())
    return pa.table(
        {"input_ids": ids.tolist(), "attention_mask": mask.astype(np.int64).tolist(), "label": label},
        schema=pa.schema({"input_ids": lists, "attention_mask": lists, "label": pa.int64()}),
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
