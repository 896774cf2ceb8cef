"""Writes the sequences of this example: `python data.py FOLDER`."""

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
    """A token below 10 is a name (tag 1), and so is what follows it (tag 2); 0 is padding with the tag -100."""
    tokens = generator.integers(1, 30, (rows, 14))
    tags = np.where(tokens < 10, 1, 0)
    follows = np.zeros_like(tags)
    follows[:, 1:] = tags[:, :-1]
    tags = np.where((tags == 0) & (follows == 1), 2, tags)
    is_padding = np.arange(14) >= generator.integers(4, 15, (rows, 1))
    tokens, tags = np.where(is_padding, 0, tokens), np.where(is_padding, -100, tags)
    lists = pa.list_(pa.int64())
    return pa.table(
        {"tokens": tokens.tolist(), "tags": tags.tolist()}, schema=pa.schema({"tokens": lists, "tags": lists})
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
