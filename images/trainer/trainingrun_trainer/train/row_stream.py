"""Fetches a rank's tables in a thread of its own, so that whoever waits for rows can stop waiting and look around.

Knows nothing of where tables come from, and holds no more rows than it is told to.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

import pyarrow as pa


class RowStream:
    """The tables of `tables()`, which is called in the thread. At least one table is kept, however long it is."""

    def __init__(self, tables: Callable[[], Iterator[pa.Table]], limit_rows: int):
        self._limit_rows = limit_rows
        self._tables: deque[pa.Table] = deque()
        self._changed = threading.Condition()
        self._is_done = False
        self._is_closed = False
        self._error: BaseException | None = None
        # A daemon: Ray offers no way to interrupt a fetch, and a worker that stops must not wait for one.
        threading.Thread(target=self._fetch, args=(tables,), name="trainingrun-rows", daemon=True).start()

    @property
    def has_ended(self) -> bool:
        """Whether everything has been taken and nothing more will come."""
        with self._changed:
            return self._is_done and not self._tables and self._error is None

    def take(self, timeout: float) -> pa.Table | None:
        """The next table; None if there is none within `timeout` seconds or at all. Raises what fetching did."""
        with self._changed:
            self._changed.wait_for(lambda: self._tables or self._is_done, timeout)
            if self._tables:
                table = self._tables.popleft()
                self._changed.notify_all()
                return table
            if self._error is not None:
                raise self._error
            return None

    def close(self) -> None:
        """Fetch no more."""
        with self._changed:
            self._is_closed = True
            self._tables.clear()
            self._changed.notify_all()

    def _fetch(self, tables: Callable[[], Iterator[pa.Table]]) -> None:
        error: BaseException | None = None
        try:
            for table in tables():
                if not self._keep(table):
                    break
        except BaseException as raised:  # whatever it is, it belongs to the thread that trains
            error = raised
        with self._changed:
            self._error, self._is_done = error, True
            self._changed.notify_all()

    def _keep(self, table: pa.Table) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._rows() < self._limit_rows)
            if table.num_rows and not self._is_closed:
                self._tables.append(table)
                self._changed.notify_all()
            return not self._is_closed

    def _rows(self) -> int:
        return sum(table.num_rows for table in self._tables)
