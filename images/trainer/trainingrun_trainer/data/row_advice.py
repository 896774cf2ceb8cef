"""Tells the author of a Row transform what the batch form would give, by rows that training has waited for anyway.

A data worker takes the sample, which costs it nothing; whoever gives the advice has torch, which no data worker loads.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.columns import columns_of
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.layout import layouts_of, to_numpy
from trainingrun_trainer.data.transform import Chain

_REPEATS = 3
# How many times faster the batch form must be for advice.
_WORTH_SAYING = 2
_LEAST_ROWS, _MOST_ROWS = 16, 64
# A sample travels with a report: more than one row only as long as it is small.
_MOST_BYTES = 256 << 10


@dataclass(frozen=True)
class RowSample:
    """What a Row transform has made of some rows: `column`, of pictures, before and after, row by row.

    `rows_per_second` are those of the transform on one CPU.
    """

    function: str
    column: str
    rows_per_second: float
    before: pa.Table
    after: pa.Table


def sample_of(rows: pa.Table, made: pa.Table, chain: Chain, column: str) -> RowSample | None:
    """A sample of what `chain` has just made of `rows`, both with ROW_ID; None where no advice could come of it."""
    (step, *others) = chain.steps
    tried = chain.tried[step.label]
    if others or step.kind != "Row" or not tried.seconds or rows.num_rows < _LEAST_ROWS:
        return None
    layout = layouts_of(rows.schema).get(column)
    if layout is None or layout.dtype != np.uint8 or len(layout.shape) not in (2, 3):
        return None
    if column not in made.column_names or not made.column(ROW_ID).equals(rows.column(ROW_ID)):
        return None
    before, after = rows.select([column]), made.select([column])
    few = max(1, _MOST_BYTES * rows.num_rows // max(1, before.nbytes + after.nbytes))
    kept = pa.array(range(min(few, _MOST_ROWS, rows.num_rows)))
    # Taken, not sliced: a slice would bring all rows along.
    rate = tried.rows_in / tried.seconds
    return RowSample(step.function, column, rate, before.take(kept), after.take(kept))


def advice_on(sample: RowSample) -> str | None:
    """A sentence that compares the transform with the built-in batch form; None where that is not much faster."""
    import torch

    from trainingrun_trainer.vision import normalize

    column, rate = sample.column, sample.rows_per_second
    layout = layouts_of(sample.before.schema)[column]
    images = torch.from_numpy(to_numpy(sample.before.column(column), layout, name=column).copy())
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        by_batch = normalize({column: images.clone()})[column]
        seconds.append(time.perf_counter() - began)
    batch_rate = len(images) / min(seconds)
    if batch_rate < _WORTH_SAYING * rate:
        return None
    expected = columns_of(sample.after)[column]
    is_same = expected.shape == tuple(by_batch.shape) and np.array_equal(expected, by_batch.numpy())
    verdict = (
        "and produced the same values, so it can replace it: transform: "
        "{function: trainingrun_trainer.vision:normalize, kind: Batch}"
        if is_same
        else "(its values differ from yours); your own Batch transform can be as fast"
    )
    return (
        f"the Row transform {sample.function} prepares {rate:,.0f} rows/s on one CPU; the batch form "
        f"trainingrun_trainer.vision:normalize did {batch_rate:,.0f} rows/s ({batch_rate / rate:.0f}x) "
        f"on {len(images)} of the same rows {verdict}"
    )
