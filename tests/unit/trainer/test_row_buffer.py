"""Rows wait in order, and reach another rank as they were."""

from __future__ import annotations

import pyarrow as pa
import pytest
from block_samples import block
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.train.row_buffer import RowBuffer, packed, unpacked


def numbers(first: int, count: int) -> pa.Table:
    return pa.table({"x": list(range(first, first + count))})


@given(st.lists(st.tuples(st.sampled_from(["append", "first", "back"]), st.integers(0, 7)), max_size=30))
def test_rows_come_out_in_the_order_of_a_queue(moves: list[tuple[str, int]]) -> None:
    buffer, expected, following = RowBuffer(), [], 0
    for move, count in moves:
        if move == "append":
            buffer.append(numbers(following, count))
            expected += range(following, following + count)
            following += count
        elif 0 < count <= len(expected):
            taken = buffer.take_first(count).column("x").to_pylist()
            assert taken == expected[:count]
            if move == "back":
                buffer.put_back(pa.table({"x": taken}))
            else:
                del expected[:count]
        assert buffer.rows == len(expected)


def test_handed_over_rows_are_as_they_were_and_no_others_travel() -> None:
    given = pa.concat_tables([block(500), block(500)]).slice(400, 200)
    data = packed(given)
    assert unpacked(data).equals(given, check_metadata=True)
    assert len(data) < given.nbytes + 4096


def test_a_row_is_measured_as_it_is_here_and_not_as_it_is_stored() -> None:
    buffer = RowBuffer()
    assert buffer.row_bytes() == 1
    buffer.append(block(10, shape=(100, 100)).slice(3, 4))
    assert 10_000 < buffer.row_bytes() < 10_200


def test_blocks_that_differ_are_named() -> None:
    buffer = RowBuffer()
    buffer.append(pa.table({"x": [1], "y": ["a"]}))
    buffer.append(pa.table({"x": ["b"], "y": ["a"]}))
    with pytest.raises(
        DataError, match='blocks of one dataset differ: column "x" is int64 in one and string in another'
    ):
        buffer.take_first(2)


def test_a_column_that_is_empty_in_one_block_stops_nothing() -> None:
    buffer = RowBuffer()
    buffer.append(pa.table({"x": [1], "note": pa.nulls(1)}))
    buffer.append(pa.table({"x": [2], "note": ["a"]}))
    assert buffer.take_first(2).column("x").to_pylist() == [1, 2]
