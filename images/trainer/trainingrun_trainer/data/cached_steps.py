"""Which of a run's steps on the data group are kept in the cache: the leading ones, up to the first that is random.

Tries them on a sample, too, since a step need not say that it is random.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pyarrow as pa

from trainingrun_trainer.data.consumed import NO_ROW, ROW_ID
from trainingrun_trainer.data.seeds import EPOCH_SEED
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.hooks import accepts
from trainingrun_trainer.transform_marks import is_uncached

_SEEDS = ("seed", "seeds")
# Of a sample: each row is prepared twice.
_SAMPLE_ROWS = 16
_WAY_OUT = (
    "so that the cache would keep one form of each row for all epochs; allowed: a parameter seed (kind Row) or seeds, "
    "or the mark trainingrun_trainer.uncached, both of which keep it and the steps behind it out of the cache, or "
    "spec.recipe.dataset.cache.mode Off"
)


def split(chain: Chain) -> tuple[Chain, Chain | None]:
    """The steps whose results are kept, maybe none, and those behind them; None where there are none of these."""
    steps = chain.steps
    count = next((place for place, step in enumerate(steps) if is_random(step)), len(steps))
    behind = dataclasses.replace(chain, steps=steps[count:]) if count < len(steps) else None
    return dataclasses.replace(chain, steps=steps[:count]), behind


def is_random(step: Step) -> bool:
    """Whether a step says that its results may differ from epoch to epoch: it asks for seeds, or is marked so."""
    function = step.hook.function
    called: Any = function
    if step.kind == "Class" and inspect.isclass(function):
        called = next((vars(one)["__call__"] for one in function.__mro__ if "__call__" in vars(one)), function)
    asks = any(accepts(called, name) and name not in step.parameters for name in _SEEDS)
    return asks or is_uncached(function) or is_uncached(called)


def applied(chain: Chain, table: pa.Table) -> pa.Table:
    """What the kept steps make of rows that have ROW_ID: the same whatever the epoch.

    Raises InvalidConfiguration where they make several of one row, and what the chain raises.
    """
    made = chain(table) if chain.steps else table
    if ROW_ID in made.column_names and (made.column(ROW_ID).to_numpy() == NO_ROW).any():
        raise InvalidConfiguration(
            f"{_which(chain)}: makes several of one row, which spec.recipe.dataset.cache cannot tell apart; allowed: "
            "as many rows or fewer, the mark trainingrun_trainer.uncached on this step, or cache.mode Off"
        )
    return made


def refuse_random(chain: Chain, sample: pa.Table) -> None:
    """Prepare some rows twice, as two epochs would: what comes out must be the same, bit by bit.

    Raises InvalidConfiguration that names the first step of which it is not, and what the chain raises.
    """
    rows = sample.slice(0, _SAMPLE_ROWS)
    if not chain.steps or not rows.num_rows or _is_same(chain, rows):
        return
    for count, step in enumerate(chain.steps, 1):
        if not _is_same(dataclasses.replace(chain, steps=chain.steps[:count]), rows):
            raise InvalidConfiguration(f"{step.name}: gives other results for the same rows each time, {_WAY_OUT}")
    raise InvalidConfiguration(f"{_which(chain)}: gives other results for the same rows now and then, {_WAY_OUT}")


def _is_same(chain: Chain, rows: pa.Table) -> bool:
    first, second = (chain(_in_epoch(rows, seed)) for seed in (1, 2))
    return bool(first.equals(second)) or _bits(first) == _bits(second)


def _in_epoch(rows: pa.Table, seed: int) -> pa.Table:
    return rows.append_column(EPOCH_SEED, pa.repeat(pa.scalar(seed, pa.int64()), rows.num_rows))


def _bits(table: pa.Table) -> bytes:
    """What is the same for NaNs, too, which equal nothing."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _which(chain: Chain) -> str:
    return " or ".join(step.name for step in chain.steps)
