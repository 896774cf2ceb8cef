"""A data worker: an actor on one CPU of the data group that reads slabs and makes units, one after the other.

It decides nothing: the dispatcher says what to do. Each method returns a report, which goes to the hub, and a table,
which stays in the node's object store until a rank or another task wants it. Must import little, neither torch nor Ray
Data nor pandas: users wait for its start.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import ray

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.layout import ArrayLayout
from trainingrun_trainer.data.mixing import gather
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.seeds import EPOCH_SEED, epoch_seed
from trainingrun_trainer.data.slabs import Bundle, SlabReader, SlabReport
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.data.transform_check import Probe, probe
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration, LayoutError, UserCodeError
from trainingrun_trainer.failures.outages import outage_of
from trainingrun_trainer.failures.tracebacks import user_traceback
from trainingrun_trainer.pool.tasks import UnitReport, WindowId

# They travel as they are, with their text and what they say about whose failure they are.
_OWN_ERRORS = (DataError, InvalidConfiguration, LayoutError, UserCodeError)


@dataclass(frozen=True)
class Work:
    """What has to be known to prepare a dataset's rows: where they are, what their arrays are, what they become."""

    source: Source
    layouts: Mapping[str, ArrayLayout]
    transform: Chain | None


@dataclass(frozen=True)
class Trouble:
    """A report of what a task has raised. As a value, since Ray would wrap an exception and lose what it was."""

    error: Exception


Outcome: TypeAlias = tuple[SlabReport | UnitReport | Trouble, pa.Table | None]


def _troubles_told(task: Any) -> Callable[..., Outcome]:
    @functools.wraps(task)
    def told(self: DataWorker, *arguments: Any) -> Outcome:
        try:
            outcome: Outcome = task(self, *arguments)
            return outcome
        except Exception as error:  # whatever the author's code or the data's reader raises
            return Trouble(portable(error)), None

    return told


class DataWorker:
    """See the module. `works` are the run's datasets by name."""

    def __init__(self, works: Mapping[str, Work]):
        self._works = works
        self._readers: dict[str, SlabReader] = {}

    def ready(self) -> Trouble | None:
        """Build what the author's classes build once in a process; trouble in it is the run's end."""
        try:
            for work in self._works.values():
                if work.transform is not None:
                    work.transform.build()
        except Exception as error:
            return Trouble(portable(error))
        return None

    @_troubles_told
    @ray.method(num_returns=2)
    def read(self, dataset: str, bundle: Bundle, slab: int, slab_bytes: int, consumed: bytes) -> Outcome:
        """The rows of a slab that are not `consumed`, an account in bytes, as they are stored."""
        if dataset not in self._readers:
            work = self._works[dataset]
            self._readers[dataset] = SlabReader(work.source, dict(work.layouts))
        used = Consumed.from_bytes(consumed) if consumed else Consumed()
        return self._readers[dataset].read(bundle, slab, slab_bytes, used)

    @_troubles_told
    @ray.method(num_returns=2)
    def make(self, dataset: str, window: WindowId, epoch: Epoch, positions: range, *slabs: pa.Table) -> Outcome:
        """The rows at `positions` of the window that `slabs` are, transformed."""
        began = time.perf_counter()
        rows = gather(slabs, window, epoch, positions)
        transform = self._works[dataset].transform
        made = _transformed(transform, rows, epoch)
        seconds = time.perf_counter() - began
        by_step = transform.seconds_by_step if transform is not None else {}
        return UnitReport(rows.num_rows, made.num_rows, made.nbytes, seconds, by_step), made

    def probe(self, sample: pa.Table, dataset: str, needed: Sequence[str], input_column: str) -> Probe | Trouble:
        """Try the transform on `sample`: see transform_check."""
        try:
            transform = self._works[dataset].transform
            return probe(sample, transform, needed, input_column) if transform is not None else Probe(0.0, None)
        except Exception as error:
            return Trouble(portable(error))


def _transformed(transform: Chain | None, rows: pa.Table, epoch: Epoch) -> pa.Table:
    if transform is None:
        return rows
    if transform.takes_seed:
        # The transform is the same in every epoch; only the rows can tell it which one this is.
        seed = epoch_seed(epoch.seed, epoch.number)
        rows = rows.append_column(EPOCH_SEED, pa.repeat(seed, rows.num_rows))
    return transform(rows)


def portable(error: Exception) -> Exception:
    """`error` as something that every process can load and that means the same: whose failure it is, and what to read.

    Other exceptions lose their traceback and their causes on the way, if they can be pickled at all.
    """
    if isinstance(error, _OWN_ERRORS):
        return error
    outage = outage_of(error)
    if outage is not None:
        return ConnectionError(f"{type(outage).__name__}: {outage}")
    return UserCodeError(user_traceback(error))
