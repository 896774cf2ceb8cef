"""A data worker: an actor on one CPU of the data group that does what `making` says, one task at a time.

It decides nothing: the dispatcher says what to do. Each method returns a report, which goes to the hub, and a table,
which stays in the node's object store until a rank or another task wants it. Must import little, neither torch nor Ray
Data nor pandas: users wait for its start.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import ray

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import Bundle, SlabReport
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration, LayoutError, UserCodeError
from trainingrun_trainer.failures.outages import outage_of
from trainingrun_trainer.failures.tracebacks import user_traceback
from trainingrun_trainer.pool.making import Made, Maker, Work
from trainingrun_trainer.pool.tasks import WindowId

# They travel as they are, with their text and what they say about whose failure they are.
_OWN_ERRORS = (DataError, InvalidConfiguration, LayoutError, UserCodeError)


@dataclass(frozen=True)
class Trouble:
    """A report of what a task has raised. As a value, since Ray would wrap an exception and lose what it was."""

    error: Exception


Outcome: TypeAlias = Made | tuple[Trouble, None]


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
    """See the module, and Maker for what its tasks do. `works` are the run's datasets by name."""

    def __init__(self, works: Mapping[str, Work]):
        self._maker = Maker(works)

    def ready(self) -> Trouble | None:
        """Build what the author's classes build once in a process; trouble in it is the run's end."""
        try:
            self._maker.build()
        except Exception as error:
            return Trouble(portable(error))
        return None

    def sample(self, dataset: str, column: str) -> None:
        """See Maker."""
        self._maker.sample(dataset, column)

    @_troubles_told
    @ray.method(num_returns=2)
    def read(self, dataset: str, bundle: Bundle, slab: int, slab_bytes: int, consumed: Consumed) -> Outcome:
        """See Maker."""
        return self._maker.read(dataset, bundle, slab, slab_bytes, consumed)

    @_troubles_told
    @ray.method(num_returns=2)
    def prepare(
        self, dataset: str, bundle: Bundle, slab: int, slab_bytes: int, read: SlabReport, rows: pa.Table
    ) -> Outcome:
        """See Maker."""
        return self._maker.prepare(dataset, bundle, slab, slab_bytes, read, rows)

    @_troubles_told
    @ray.method(num_returns=2)
    def make(self, dataset: str, window: WindowId, epoch: Epoch, positions: range, *slabs: pa.Table) -> Outcome:
        """See Maker."""
        return self._maker.make(dataset, window, epoch, positions, *slabs)


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
