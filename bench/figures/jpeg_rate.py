"""JPEGs a second from one data CPU, end to end: from bytes in Parquet to tensors of 224 pixels in the trainer."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pyarrow.parquet as pq

from bench.league.protocol import SIDE
from bench.pipelines.jpegs import make_jpeg_rows
from bench.pipelines.passes import passes_over
from bench.result import Measure, Result
from bench.workspace import Workspace
from trainingrun_trainer.data.pictures import decode
from trainingrun_trainer.data.source import Source

_ROWS, _QUICK_ROWS = 2000, 200
_BATCH_ROWS = 32
_SIZE = (SIDE, SIDE)


def measure(rounds: int, workspace: Workspace) -> Result:
    """`rounds` epochs after one that warms up, then our decoder called in a plain loop as often."""
    rows = _QUICK_ROWS if workspace.is_quick else _ROWS
    path = make_jpeg_rows(workspace.folder, rows)
    ends = []
    with passes_over(path, None, data_cpus=1, batch_rows=_BATCH_ROWS, image_size=_SIZE) as passes:
        for number in range(rounds + 1):
            came = sum(portion.batch["image"].shape[0] for portion in passes.epoch(number))
            assert came == rows, f"{came} rows came out of {rows}"
            ends.append(time.monotonic())
    # From end to end: the next epoch is made ahead while the one before is read.
    rates = [rows / (after - before) for before, after in itertools.pairwise(ends)]
    loops = [_loop(path) for _ in rates]
    shares = [rate / loop for rate, loop in zip(rates, loops, strict=True)]
    measures = [
        Measure("jpeg_rate", "JPEGs of 500x375 to 224 pixels, from one data CPU", "images/s", rates),
        Measure("jpeg_share", "the same, against a plain loop over the decoder", "x loop", shares),
    ]
    return Result("jpeg_rate", measures, {"loopImagesPerSecond": loops})


def _loop(path: Path) -> float:
    images = pq.read_table(path / "rows.parquet").column("image").slice(0, _QUICK_ROWS).to_pylist()
    source = Source("bench", "Parquet", str(path), image_size=_SIZE)
    began = time.monotonic()
    for image in images:
        decode(source, "image", image)
    return len(images) / (time.monotonic() - began)
