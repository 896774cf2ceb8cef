"""Tries the run's transform on a sample before training needs it: a wrong hook fails in seconds, and the author of a
row-wise transform learns what the batch form would give.

Runs as one task on the data group, beside the start of the workers, so that it costs no time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.layout import layouts_of, to_numpy
from trainingrun_trainer.data.transform import Transform

_REPEATS = 3
# How many times faster the batch form must be for advice.
_WORTH_SAYING = 2


@dataclass(frozen=True)
class Probe:
    """What the sample told. `rows_per_second` is one CPU's; `advice` a sentence, or None."""

    rows_per_second: float
    advice: str | None


def probe(sample: pa.Table, transform: Transform, input_column: str, target_column: str) -> Probe:
    """Apply `transform` to `sample`. Raises what the author's code raises, DataError, or InvalidConfiguration."""
    from trainingrun_trainer.failures.errors import InvalidConfiguration

    transform(sample.slice(0, 1))  # imports and first-call costs are not the transform's speed
    began = time.perf_counter()
    result = transform(sample)
    rate = sample.num_rows / (time.perf_counter() - began)
    for column in (input_column, target_column):
        if column not in result.column_names:
            raise InvalidConfiguration(
                f'{transform.name}: the transform "{transform.function}" returned no column "{column}"; '
                f"it returned {', '.join(result.column_names)}"
            )
    advice = None
    if transform.kind == "Row":
        advice = _advice(sample, result, rate, transform.function, input_column)
    return Probe(rate, advice)


def _advice(sample: pa.Table, by_row: pa.Table, rate: float, function: str, column: str) -> str | None:
    """Compare with the built-in batch form on the same rows, where that applies."""
    layout = layouts_of(sample.schema).get(column)
    made = layouts_of(by_row.schema).get(column)
    if layout is None or made is None or layout.dtype != np.uint8 or len(layout.shape) not in (2, 3):
        return None
    import torch

    from trainingrun_trainer.vision import normalize

    images = torch.from_numpy(to_numpy(sample.column(column), layout, name=column).copy())
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        by_batch = normalize({column: images.clone()})[column]
        seconds.append(time.perf_counter() - began)
    batch_rate = sample.num_rows / min(seconds)
    if batch_rate < _WORTH_SAYING * rate:
        return None
    expected = to_numpy(by_row.column(column), made, name=column)
    is_same = expected.shape == tuple(by_batch.shape) and np.array_equal(expected, by_batch.numpy())
    verdict = (
        "and produced the same values, so it can replace it: transform: "
        "{function: trainingrun_trainer.vision:normalize, kind: Batch}"
        if is_same
        else "(its values differ from yours); your own Batch transform can be as fast"
    )
    return (
        f"the Row transform {function} prepares {rate:,.0f} rows/s on one CPU; the batch form "
        f"trainingrun_trainer.vision:normalize did {batch_rate:,.0f} rows/s ({batch_rate / rate:.0f}x) "
        f"on the same {sample.num_rows} rows {verdict}"
    )
