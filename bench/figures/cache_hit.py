"""What a cached epoch costs: its data CPU over that of the epoch that prepares every row and keeps it.

Photographs are decoded and resized to 224 x 224 by a transform, in one process without Ray: slabs are read, prepared
and kept, or found, and every window's rows are gathered. Timed is the CPU of the whole process.
"""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.result import Measure, Result
from bench.workspace import Workspace
from trainingrun_trainer.data.caching import Caching, Loaded, caching_of
from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.listing import Listing, list_dataset
from trainingrun_trainer.data.mixing import bundles_of, gather
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import Bundle, SlabReader
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.transform import Chain

_ROWS, _QUICK_ROWS = 1024, 64
_HEIGHT, _WIDTH, _SIZE = 375, 500, 224
_SLAB_BYTES = 4 << 20


def decode_row(row: dict[str, Any]) -> dict[str, Any]:
    """The Row transform: pixels, uint8 (224, 224, 3), in place of the encoded photograph."""
    from PIL import Image

    image = Image.open(io.BytesIO(row["image"])).convert("RGB").resize((_SIZE, _SIZE))
    return {**row, "image": np.asarray(image)}


def decode(batch: dict[str, Any]) -> dict[str, Any]:
    """The same as a Batch transform."""
    return {**batch, "image": np.stack([decode_row({"image": image})["image"] for image in batch["image"]])}


def measure(rounds: int, workspace: Workspace) -> Result:
    """In each round an empty cache, an epoch that fills it, the next epoch, and the first one of another run."""
    listing = _listing(workspace)
    measures: list[Measure] = []
    raw: dict[str, Any] = {"rows": listing.rows}
    for kind, name, words in (("Batch", "cache", ""), ("Row", "cache_row", ", Row transform, which makes lists")):
        epochs = [_epochs(listing, kind, workspace.folder / f"{name}-{number}") for number in range(rounds)]
        measures += [
            Measure(f"{name}_{place}", f"{title}{words}", "% of filling", [100 * each[at] / each[0] for each in epochs])
            for at, place, title in (
                (1, "next_epoch", "data CPU of a run's next epoch, all rows cached"),
                (2, "other_run", "data CPU of another run's epoch, all rows cached"),
            )
        ]
        raw[name] = {"cpuSeconds": epochs}
    return Result("cache_hit", measures, raw)


def _epochs(listing: Listing, kind: str, folder: Path) -> list[float]:
    """CPU seconds of an epoch that fills the cache, the next one, and one of another run."""
    cache = _caching(listing, kind, folder)
    return [_epoch(listing, cache), _epoch(listing, cache), _epoch(listing, _caching(listing, kind, folder))]


def _caching(listing: Listing, kind: str, folder: Path) -> Caching:
    function = "decode" if kind == "Batch" else "decode_row"
    steps = Chain((Step(f"bench.figures.cache_hit:{function}", kind),))
    layouts = listing.inspection.layouts
    return caching_of(str(folder), listing.source, layouts, steps, can_write=True, slab_bytes=_SLAB_BYTES)[0]


def _epoch(listing: Listing, cache: Caching) -> float:
    """CPU seconds of an epoch."""
    began = time.process_time()
    reader = SlabReader(listing.source, listing.inspection.layouts)
    rows = 0
    for bundle in bundles_of(listing.pieces):
        number, has_more = 0, True
        while has_more:
            slab = _slab(reader, cache, bundle, number)
            window = gather([slab.table], (bundle.index, number), Epoch(0, 0, True), range(slab.report.kept))
            rows += window.num_rows
            number, has_more = number + 1, slab.report.has_more
    if rows != listing.rows:
        raise RuntimeError(f"{rows} of {listing.rows} rows came out of the epoch")
    return time.process_time() - began


def _slab(reader: SlabReader, cache: Caching, bundle: Bundle, number: int) -> Loaded:
    found = cache.load(bundle, number, _SLAB_BYTES, Consumed())
    if found is not None:
        return found
    report, rows = reader.read(bundle, number, _SLAB_BYTES, Consumed())
    return cache.prepare(bundle, number, _SLAB_BYTES, report, rows)


def _listing(workspace: Workspace) -> Listing:
    rows = _QUICK_ROWS if workspace.is_quick else _ROWS
    path = workspace.folder / f"photographs-{rows}.parquet"
    if not path.exists():
        photographs = [_photograph(number) for number in range(64)]
        images = pa.array([photographs[row % 64] for row in range(rows)], pa.binary())
        pq.write_table(pa.table({"image": images, "label": np.arange(rows) % 10}), path)
    return list_dataset(Source("train", "Parquet", str(path)))


def _photograph(number: int) -> bytes:
    """A JPEG of about the size of ImageNet's: smooth areas with some noise."""
    from PIL import Image

    chance = np.random.default_rng(number)
    small = Image.fromarray(chance.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((_WIDTH, _HEIGHT))
    noisy = np.asarray(small, np.int16) + chance.normal(0, 12, (_HEIGHT, _WIDTH, 1)).astype(np.int16)
    stream = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()
