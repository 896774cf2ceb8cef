"""How many rows a unit has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.pool.cutting import Cost, rows_of_unit


def _cost(seconds_per_row: float, rows: int = 1000, bytes_per_row: int = 100) -> Cost:
    cost = Cost()
    cost.note(rows, rows * bytes_per_row, rows * seconds_per_row)
    return cost


def _rows(cost: Cost, **changes: float) -> int:
    given_values = {
        "units": 1000,
        "workers": 4,
        "rows_ahead": 10**6,
        "rest": 10**6,
        "bytes_per_row": 100,
        "is_short": False,
    }
    return rows_of_unit(cost, **(given_values | changes))  # type: ignore[arg-type]


def test_units_are_tiny_until_it_is_known_what_rows_cost_and_then_grow_fast() -> None:
    cost = Cost()
    sizes = []
    for _ in range(5):
        sizes.append(_rows(cost))
        cost.note(sizes[-1], sizes[-1] * 100, sizes[-1] * 0.0005)
    assert sizes == [4, 16, 64, 256, 1024]


def test_the_first_units_of_a_pass_take_a_quarter_of_a_second_and_later_ones_one() -> None:
    assert _rows(_cost(0.001), units=0) == 250
    assert _rows(_cost(0.001), units=8) == 625
    assert _rows(_cost(0.001)) == 1000
    assert _rows(_cost(0.001), is_short=True) == 100


def test_all_workers_get_something_of_what_little_there_is() -> None:
    assert _rows(_cost(0.005), workers=16, rows_ahead=400, rest=400) <= 13
    assert _rows(_cost(0.0001), workers=16, rows_ahead=400, rest=400) == 400


def test_a_unit_returns_at_most_16_mib() -> None:
    assert _rows(_cost(1e-9), bytes_per_row=1 << 20) <= 16
    assert _rows(_cost(1e-9), bytes_per_row=1 << 30) == 1


def test_one_slow_call_does_not_make_units_tiny_for_long() -> None:
    cost = _cost(0.001)
    cost.note(100, 10_000, 60.0)
    assert _rows(cost) >= 600
    slow = _cost(3.0, rows=4)
    for _ in range(20):
        slow.note(4, 400, 0.004)
    assert _rows(slow) == 16


@given(
    seconds=st.none() | st.floats(0, 100),
    units=st.integers(0, 100),
    workers=st.integers(1, 64),
    rows_ahead=st.integers(0, 10**6),
    rest=st.integers(1, 10**5),
    bytes_per_row=st.floats(0, 1e9),
)
def test_a_share_is_cut_into_equal_parts(
    seconds: float | None, units: int, workers: int, rows_ahead: int, rest: int, bytes_per_row: float
) -> None:
    cost = Cost() if seconds is None else _cost(seconds)
    rows = _rows(cost, units=units, workers=workers, rows_ahead=rows_ahead, rest=rest, bytes_per_row=bytes_per_row)
    assert 1 <= rows <= rest
    assert rows * bytes_per_row <= 16 << 20 or rows == 1
    assert rows == rest or -(-rest // rows) >= 2
