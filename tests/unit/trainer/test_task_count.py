"""How many read tasks an epoch gets: few for small data, a share for every CPU and rank, and no slow first block."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.datasource import task_count

MIB = 1 << 20
RATES = st.just(0.0) | st.floats(0.001, 1e9)  # 0 until it is measured


def pieces(count: int, size_bytes: int = MIB, rows: int | None = 1000) -> list[Piece]:
    return [Piece(i, (f"{i}",), size_bytes, rows=rows) for i in range(count)]


@pytest.mark.parametrize(
    ("found", "slots", "world_size", "rate", "expected"),
    [
        (pieces(1), 8, 8, 0.0, 1),  # one piece cannot be shared
        (pieces(10), 1, 1, 0.0, 1),  # small data, one CPU
        (pieces(20), 4, 1, 0.0, 4),  # a task for each CPU
        (pieces(40), 4, 1, 0.0, 8),  # enough for two
        (pieces(40), 4, 8, 0.0, 16),  # two for each rank
        (pieces(1000), 4, 1, 0.0, 16),  # by size: 64 MiB each
        (pieces(1000, rows=100), 4, 1, 1000.0, 100),  # a slow transform: a second each
        (pieces(50, rows=1000), 4, 1, 100.0, 50),  # never more than pieces
        (pieces(50, rows=None), 4, 1, 100.0, 8),  # unknown lengths
        ([], 4, 2, 0.0, 1),
    ],
)
def test_the_number_of_tasks(found: list[Piece], slots: int, world_size: int, rate: float, expected: int) -> None:
    assert task_count(found, slots, world_size, rate) == expected


@given(st.integers(0, 300), st.integers(0, 1 << 30), st.integers(0, 500), st.integers(1, 64), RATES)
def test_there_is_always_a_task_and_never_an_empty_one(
    count: int, size_bytes: int, slots: int, world_size: int, rate: float
) -> None:
    found = task_count(pieces(count, size_bytes), slots, world_size, rate)
    assert 1 <= found <= max(1, count)
