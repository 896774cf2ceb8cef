"""The seed of each row in each epoch: a number that follows from the run's seed, the epoch and the row alone.

Neither the node, nor the order of rows, nor how they are cut into batches may change it. Pure.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

# The epoch's seed, int64 and the same in every row of a table that goes into a chain of transforms.
EPOCH_SEED = "__trainingrun_epoch_seed"
# What tells a row from all others, uint64: its id, and where one row has become several, which of them it is.
ROW_KEY = "__trainingrun_key"

Keys = np.ndarray[tuple[int], np.dtype[np.uint64]]
Places = np.ndarray[tuple[int], np.dtype[np.int64]]
# Of splitmix64, whose steps reach every bit of the result from every bit of the number.
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def epoch_seed(seed: int, epoch: int) -> int:
    """What tells an epoch of a run from others: 0 to 2^32 - 1."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])


def row_seeds(table: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A seed for each row of a table with ROW_KEY, int64 of shape (rows,), 0 to 2^32 - 1.

    The epoch is EPOCH_SEED's; without that column it is as if the seed of the epoch was 0.
    """
    keys = table.column(ROW_KEY).to_numpy()
    has_epoch = EPOCH_SEED in table.column_names and table.num_rows
    epoch = np.array([table.column(EPOCH_SEED)[0].as_py() if has_epoch else 0], np.uint64)
    return (_mixed(_mixed(keys) + _mixed(epoch)) >> np.uint64(32)).astype(np.int64)


def child_keys(keys: Keys, parents: Places) -> Keys:
    """Keys for rows that were made of rows with `keys`, which `parents` are the places of.

    The first row made of another keeps its key, the ones after it get keys of their own.
    """
    made: Keys = keys[parents]
    if len(parents) < 2:
        return made
    order = np.argsort(parents, kind="stable")
    starts = np.flatnonzero(np.diff(parents[order], prepend=-1))
    counts = np.diff(starts, append=len(parents))
    ordinals = np.empty(len(parents), np.uint64)
    ordinals[order] = np.arange(len(parents)) - np.repeat(starts, counts)
    later = ordinals > 0
    made[later] = _mixed(made[later] + _mixed(ordinals[later]))
    return made


def _mixed(values: Keys) -> Keys:
    with np.errstate(over="ignore"):
        mixed: Keys = values + _GAMMA
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
        return mixed ^ (mixed >> np.uint64(31))
