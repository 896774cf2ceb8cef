"""Looks at the first rows that a run's transforms make: a wrong hook is named by its field before it is trained with.

They are rows that training waits for: nothing is transformed for a check alone, however slow a transform is.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from trainingrun_trainer.data.columns import columns_of
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.layout import NUMBER_KINDS
from trainingrun_trainer.data.nested_lists import is_list_of_numbers
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.failures.errors import InvalidConfiguration

# So many rows are looked at; and after so many, a function that has only returned None is no filter.
ENOUGH_ROWS = 512


class FirstRows:
    """Looks at what a run's `steps` make of the first rows in this process.

    A tensor must be able to hold each column of `needed`, which training takes.
    """

    def __init__(self, steps: Sequence[Step], needed: Sequence[str]):
        self._last = steps[-1]
        self._needed = needed
        self._rows = 0
        # Rows by the labels of steps that have returned nothing but None.
        self._nones = {step.label: 0 for step in steps}

    def look(self, made: pa.Table, chain: Chain | None) -> None:
        """All steps have made these rows, those of `chain` just now. Raises InvalidConfiguration."""
        if chain is not None and self._nones:
            self._count_nones(chain)
        if made.num_rows and self._rows < ENOUGH_ROWS:
            self._rows += made.num_rows
            _require(made, self._last, self._needed)

    def _count_nones(self, chain: Chain) -> None:
        for step in chain.steps:
            tried = chain.tried[step.label]
            if tried.nones < tried.rows_in:
                self._nones.pop(step.label, None)
            elif step.label in self._nones:
                self._nones[step.label] += tried.nones
                if self._nones[step.label] >= ENOUGH_ROWS:
                    raise _missing_return(step, self._nones[step.label])


def refuse_missing_return(chain: Chain) -> None:
    """Refuse a Row function that has returned None for every row that `chain` was last given."""
    for step in chain.steps:
        tried = chain.tried[step.label]
        if tried.nones and tried.nones == tried.rows_in:
            raise _missing_return(step, tried.nones)


def _missing_return(step: Step, rows: int) -> InvalidConfiguration:
    return InvalidConfiguration(
        f"{step.name}: returned None for each of the first {rows} rows (is a `return` missing?); None leaves a row "
        "out. If all of these are meant to be left out, return an empty list instead"
    )


def _require(result: pa.Table, last: Step, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in result.column_names:
            names = (name for name in result.column_names if name != ROW_ID)
            raise InvalidConfiguration(
                f'{last.path}: the transform "{last.function}" returned no column "{column}"; '
                f"it returned {', '.join(names)}"
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
