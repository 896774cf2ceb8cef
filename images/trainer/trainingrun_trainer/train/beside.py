"""What a rank does beside training, fetching rows and making batches: in threads, or where a debugger can follow it.

It must not change what is done, nor its order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Protocol

import pyarrow as pa

from trainingrun_trainer.train.row_stream import RowStream
from trainingrun_trainer.train.waiting import Waiting


class Stream(Protocol):
    """The tables of a pass: see RowStream."""

    @property
    def has_ended(self) -> bool:
        """Whether everything has been taken and nothing more will come."""

    def take(self, timeout: float) -> pa.Table | None:
        """The next table; None if there is none within `timeout` seconds or at all."""

    def close(self) -> None:
        """Fetch no more."""


class Beside(Protocol):
    """Where it is done."""

    def stream(self, tables: Callable[[], Iterator[pa.Table]], limit_rows: int) -> Stream:
        """What fetches `tables()`, of which it keeps no more than so many rows."""

    def maker(self) -> Executor:
        """What makes batches."""

    def ahead(self, batches: int) -> int:
        """How many of the `batches` that may be made ahead of the step are."""

    def wait(self, waiting: Waiting, is_ready: Callable[[float], bool], timeout: float = math.inf) -> None:
        """Have `waiting` time how long it takes until `is_ready`, as Waiting.until does."""


class Threads:
    """Beside training."""

    def stream(self, tables: Callable[[], Iterator[pa.Table]], limit_rows: int) -> Stream:
        """See Beside."""
        return RowStream(tables, limit_rows)

    def maker(self) -> Executor:
        """See Beside."""
        return ThreadPoolExecutor(1, thread_name_prefix="trainingrun-collate")

    def ahead(self, batches: int) -> int:
        """See Beside."""
        return batches

    def wait(self, waiting: Waiting, is_ready: Callable[[float], bool], timeout: float = math.inf) -> None:
        """See Beside."""
        waiting.until(is_ready, timeout)


class SameThread:
    """In the thread that trains, when a step needs it: what the author's functions raise or stop at is met in turn."""

    def stream(self, tables: Callable[[], Iterator[pa.Table]], limit_rows: int) -> Stream:
        """See Beside."""
        return _Pulled(tables())

    def maker(self) -> Executor:
        """See Beside."""
        return _AtOnce()

    def ahead(self, batches: int) -> int:
        """See Beside."""
        return 0

    def wait(self, waiting: Waiting, is_ready: Callable[[float], bool], timeout: float = math.inf) -> None:
        """See Beside. The work itself is done within, however long it takes."""
        waiting.during(lambda: is_ready(0.0))


class _Pulled:
    """Takes as long as the next table takes."""

    def __init__(self, tables: Iterator[pa.Table]):
        self.has_ended = False
        self._tables = tables

    def take(self, timeout: float) -> pa.Table | None:
        """See Stream."""
        table = next(self._tables, None)
        self.has_ended = table is None
        return table

    def close(self) -> None:
        """See Stream."""
        self._tables = iter(())


class _AtOnce(Executor):
    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Call it; what it raises is raised by the future's result."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future
