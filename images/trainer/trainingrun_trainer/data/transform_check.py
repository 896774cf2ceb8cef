"""Tries the run's transforms on a sample before training needs it: a wrong hook fails in seconds, and the author of a
row-wise transform learns what the batch form would give.

Runs as one task on the data group, beside the start of the workers, so that it costs no time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.columns import columns_of
from trainingrun_trainer.data.layout import NUMBER_KINDS, layouts_of, to_numpy
from trainingrun_trainer.data.nested_lists import is_list_of_numbers
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.failures.errors import InvalidConfiguration

_REPEATS = 3
# Of what the sample may become.
_MOST_BYTES = 64 << 20
# How many times faster the batch form must be for advice.
_WORTH_SAYING = 2


@dataclass(frozen=True)
class Probe:
    """What the sample told. `rows_per_second` is one CPU's; `advice` a sentence, or None."""

    rows_per_second: float
    advice: str | None


def probe(sample: pa.Table, transform: Chain, needed: Sequence[str], input_column: str) -> Probe:
    """Apply `transform` to `sample`. A tensor must be able to hold each column of `needed`, which training takes.

    Raises what the author's code raises, DataError, or InvalidConfiguration.
    """
    # Imports and first-call costs are not the transform's speed; and a row may become a large one.
    first = transform(sample.slice(0, 1))
    sample = sample.slice(0, max(1, _MOST_BYTES // max(1, first.nbytes)))
    began = time.perf_counter()
    result = transform(sample)
    rate = sample.num_rows / (time.perf_counter() - began)
    refuse_missing_return(transform)
    if result.num_rows:  # a transform may drop rows, and here by chance all
        _require(result, transform.steps[-1], needed)
    (*others, last) = transform.steps
    advice = _advice(sample, result, rate, last.function, input_column) if last.kind == "Row" and not others else None
    return Probe(rate, advice)


def refuse_missing_return(chain: Chain) -> None:
    """Refuse a Row function that has returned None for every row of the sample that `chain` was last given."""
    for step in chain.steps:
        tried = chain.tried[step.label]
        if tried.nones and tried.nones == tried.rows_in:
            raise InvalidConfiguration(
                f"{step.name}: returned None for each of the first {tried.nones} rows (is a `return` missing?); None "
                "leaves a row out. If all of these are meant to be left out, return an empty list instead"
            )


def _require(result: pa.Table, last: Step, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in result.column_names:
            raise InvalidConfiguration(
                f'{last.path}: the transform "{last.function}" returned no column "{column}"; '
                f"it returned {', '.join(result.column_names)}"
            )
    made = columns_of(result.select(columns))
    for column in columns:
        if made[column].dtype.kind not in NUMBER_KINDS:
            raise InvalidConfiguration(
                f'{last.path}: the transform "{last.function}" returned "{column}" as '
                f"{result.schema.field(column).type}, {_why(result.column(column))}; allowed: numbers, or arrays of "
                "one shape, unless spec.recipe.collate makes tensors of it"
            )


def _why(column: pa.ChunkedArray) -> str:
    if column.null_count:
        return f"{column.null_count} of {len(column)} rows without a value"
    return "of which rows differ in shape" if is_list_of_numbers(column.type) else "of which no tensor can be made"


def _advice(sample: pa.Table, by_row: pa.Table, rate: float, function: str, column: str) -> str | None:
    """Compare with the built-in batch form on the same rows, where that applies."""
    layout = layouts_of(sample.schema).get(column)
    if layout is None or layout.dtype != np.uint8 or len(layout.shape) not in (2, 3):
        return None
    if column not in by_row.column_names or by_row.num_rows != sample.num_rows:
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
    expected = columns_of(by_row.select([column]))[column]
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
