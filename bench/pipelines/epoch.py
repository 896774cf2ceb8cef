"""Times one epoch of a pipeline, the same way for all of them, and proves that it delivered the right rows."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bench.arrays import row_numbers
from bench.workspace import load_arrays

Batches = Callable[[], Iterable[dict[str, Any]]]
# Rows are compared with the reference in every so-many-th batch: one by one is what makes the seed slow.
_COMPARED_EVERY = 16


def timed(batches: Batches, rows: int) -> dict[str, Any]:
    """Seconds from asking for the epoch to its last batch. Raises AssertionError unless every row came once."""
    pixels = []
    first = 0.0
    began = time.perf_counter()
    for batch in batches():
        first = first or time.perf_counter() - began
        pixels.append(batch["image"][:, 0, 0, :3].numpy().copy())
    seconds = time.perf_counter() - began
    _check_numbers(np.concatenate(pixels), rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "firstBatchSeconds": first, "peakMiB": peak / 1024}


def checked(batches: Batches, rows: int, arrays: Path) -> dict[str, Any]:
    """An epoch that is not timed but compared: labels of all rows, and the images of every 16th batch."""
    from bench.pipelines.transforms import transform_images

    images, labels = load_arrays(arrays)
    pixels = []
    for place, batch in enumerate(batches()):
        pixels.append(batch["image"][:, 0, 0, :3].numpy().copy())
        numbers = row_numbers(pixels[-1])
        assert np.array_equal(batch["label"].numpy(), labels[numbers]), "a row has another row's label"
        if place % _COMPARED_EVERY == 0:
            for image, number in zip(batch["image"], numbers, strict=True):
                expected = transform_images({"image": images[number]})["image"]
                assert image.equal(expected), f"row {number} differs from what the row transform makes of it"
    _check_numbers(np.concatenate(pixels), rows)
    return {}


def _check_numbers(pixels: np.ndarray, rows: int) -> None:
    numbers = row_numbers(pixels)
    assert len(numbers) == rows, f"{len(numbers)} rows came out of {rows}"
    assert len(np.unique(numbers)) == rows, "some rows came more than once"
