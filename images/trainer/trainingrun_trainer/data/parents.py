"""Which row each row was made from, where transforms drop rows or make several of one.

Every row that was read counts as used exactly once: when the last of the rows that were made of it is trained on, or,
where nothing was made of it, when the rows that it was prepared with arrive. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.consumed import NO_ROW, ROW_ID
from trainingrun_trainer.data.seeds import Places
from trainingrun_trainer.data.table_notes import with_vanished
from trainingrun_trainer.data.values import as_array
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.transform_marks import PARENT


def places_of(parents: Any, given: int, made: int) -> Places:
    """The author's column PARENT as int64 of shape (made,): places among the `given` rows of a call.

    Raises DataError where they are none.
    """
    array = as_array(parents)
    if array.shape == (made,) and array.dtype.kind in "iu":
        places = array.astype(np.int64)
        if not made or (places.min() >= 0 and places.max() < given):
            return places
    raise DataError(
        f'the transform returned "{PARENT}" as {_words(array)}, expected for each of its {made} rows the place of the '
        f"row that it was made from, a whole number from 0 to {given - 1}"
    )


def unknown_parents(given: int, made: int) -> DataError:
    """The refusal of a result of which nobody can tell what it was made from."""
    return DataError(
        f"the Batch transform returned {made} rows for {given} and does not say what they were made from; return the "
        f'column "{PARENT}" (trainingrun_trainer.PARENT) with them, which has for each row the place in the batch of '
        "the row that it was made from, as np.flatnonzero(kept) has for a filter; or use kind Row, which leaves a row "
        "out by returning None and makes several of one by returning a list"
    )


def settled(given: pa.Table, made: pa.Table) -> pa.Table:
    """`made` of all rows of `given`, both with ROW_ID, so that each of these counts once.

    Only the last row that was made of another keeps its id, the others get NO_ROW. The ids of those of which nothing
    was made are told by `table_notes.vanished_of`.
    """
    before, ids = given.column(ROW_ID).to_numpy(), made.column(ROW_ID).to_numpy()
    backwards, counts = np.unique(ids[::-1], return_index=True)
    if len(counts) < len(ids):
        last = len(ids) - 1 - counts
        marked = np.full(len(ids), NO_ROW, np.int64)
        marked[last] = ids[last]
        made = made.set_column(made.column_names.index(ROW_ID), made.schema.field(ROW_ID), pa.array(marked))
    return with_vanished(made, np.setdiff1d(before, backwards))


def _words(array: np.ndarray[Any, np.dtype[Any]]) -> str:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        return f"{array.dtype} of shape {array.shape}"
    return f"{len(array)} numbers" + (f" from {array.min()} to {array.max()}" if len(array) else "")
