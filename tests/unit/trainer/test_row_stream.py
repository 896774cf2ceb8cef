"""Rows are fetched beside training: no more than are wanted, and what fails there is raised here."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from trainingrun_trainer.train.row_stream import RowStream


def table(rows: int) -> pa.Table:
    return pa.table({"x": list(range(rows))})


def test_tables_come_in_order_and_then_it_has_ended() -> None:
    stream = RowStream(lambda: iter([table(2), table(0), table(3)]), limit_rows=100)
    assert [stream.take(60).num_rows, stream.take(60).num_rows] == [2, 3]
    assert stream.take(60) is None
    assert stream.has_ended


def test_nobody_waits_for_longer_than_asked_and_an_open_stream_has_not_ended() -> None:
    go_on = threading.Event()

    def tables() -> Iterator[pa.Table]:
        go_on.wait(60)
        yield table(1)

    stream = RowStream(tables, limit_rows=100)
    assert stream.take(0) is None
    assert not stream.has_ended
    go_on.set()
    assert stream.take(60).num_rows == 1


def test_no_more_is_fetched_than_wanted_and_nothing_once_it_is_closed() -> None:
    fetched, has_stopped = [], threading.Event()

    def tables() -> Iterator[pa.Table]:
        try:
            for number in range(100):
                fetched.append(number)
                yield table(4)
        finally:
            has_stopped.set()

    stream = RowStream(tables, limit_rows=8)
    assert stream.take(60).num_rows == 4
    # Two tables of four rows, and one that waits to be the third.
    assert len(fetched) <= 4
    stream.close()
    assert has_stopped.wait(60)
    assert len(fetched) <= 4


def test_what_fails_in_fetching_is_raised_after_the_rows_before_it() -> None:
    def tables() -> Iterator[pa.Table]:
        yield table(1)
        raise OSError("the disk is gone")

    stream = RowStream(tables, limit_rows=100)
    assert stream.take(60).num_rows == 1
    with pytest.raises(OSError, match="the disk is gone"):
        stream.take(60)
    assert not stream.has_ended
