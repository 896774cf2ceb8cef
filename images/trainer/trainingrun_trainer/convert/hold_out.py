"""Which rows of a source are held out for validation, where the source has no split for it.

The choice depends on the seed and on a row's number alone: two conversions, one for each part, share every row
out once, however they read the source. It must not order rows; `arrange` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from trainingrun_trainer.convert.errors import ConvertError, UsageError
from trainingrun_trainer.convert.sources import Indexed, Numbers, Source, Stream

TRAIN = "train"
VALIDATION = "validation"
# The order of the rows is drawn from the seed too, and must not follow from this choice.
_STREAM_OF_SEED = 1


def require_hold_out(percent: float | None, split: str) -> None:
    """Raise UsageError for a share or a split that cannot be held out."""
    if percent is None:
        return
    if not 0 < percent < 100:
        raise UsageError(f"--hold-out: found {percent:g}, allowed: more than 0 and less than 100 percent")
    if split not in {TRAIN, VALIDATION}:
        raise UsageError(f"--split: found {split}, allowed with --hold-out: {TRAIN}, {VALIDATION}")


def hold_out(source: Source, percent: float, split: str, seed: int) -> Source:
    """Return the rows of one part: `validation` has `percent` of them, `train` all others.

    A source that can be indexed is shared out exactly, rounded up for validation; of one that passes once,
    each row is drawn on its own.
    """
    random = np.random.default_rng([seed, _STREAM_OF_SEED])
    if isinstance(source, Stream):
        return replace(source, chunks=_drawn(source.chunks, percent, split, random))
    held = int(np.ceil(source.rows * percent / 100))
    if held >= source.rows:
        raise ConvertError(f"--hold-out {percent:g}: found {source.rows} rows, too few to split")
    mixed = random.permutation(source.rows)
    return _only(source, np.sort(mixed[:held] if split == VALIDATION else mixed[held:]))


def _only(source: Indexed, numbers: Numbers) -> Indexed:
    # Rows keep their numbers in the source, by which errors name them.
    return replace(source, rows=len(numbers), read=lambda places: source.read(numbers[places]))


def _drawn(chunks: Iterator[pa.Table], percent: float, split: str, random: np.random.Generator) -> Iterator[pa.Table]:
    for table in chunks:
        is_held = random.random(table.num_rows) < percent / 100
        kept = table.filter(pa.array(is_held if split == VALIDATION else ~is_held))
        if kept.num_rows:
            yield kept
