"""Rows that are left out for want of a picture are counted, named and limited, whenever they turn up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.data.bad_rows import BadRow, BadRowBook
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.failures.outages import outage_of


def bad(count: int, *, is_outage: bool = False) -> tuple[BadRow, ...]:
    return tuple(BadRow(row, f"a.parquet: row {row}", is_outage) for row in range(count))


def test_the_first_rows_are_named_and_all_are_counted() -> None:
    book = BadRowBook("train", 0.5, rows=20)
    assert book.notice() is None
    book.add(10, bad(1))
    assert book.notice() == "train: 1 row was left out: a.parquet: row 0"
    book.add(10, bad(6))
    book.end()
    assert book.count == 7
    assert book.notice() == (
        "train: 7 rows were left out: a.parquet: row 0; a.parquet: row 0; a.parquet: row 1; a.parquet: row 2; "
        "a.parquet: row 3; and 2 more"
    )


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_whether_there_are_too_many_depends_on_no_order(counts: list[int], share: float) -> None:
    def passes(order: list[int]) -> bool:
        book = BadRowBook("train", share, rows=3 * len(order))
        try:
            for count in order:
                book.add(3, bad(count))
            book.end()
        except DataError:
            return False
        return True

    assert passes(counts) == passes(sorted(counts)) == (sum(counts) <= share * 3 * len(counts))


def test_of_unknown_length_some_thousand_rows_are_looked_at_before_the_share_counts() -> None:
    book = BadRowBook("train", 0.001)
    book.add(100, bad(10))
    with pytest.raises(DataError, match=r"train: 11 rows .* and 6 more; .*maxShare allows 0.001 of 10000 rows"):
        book.add(100, bad(1))
    short = BadRowBook("train", 0.001)
    short.add(100, bad(1))
    with pytest.raises(DataError, match=r"0\.001 of 100 rows"):
        short.end()


def test_rows_used_before_a_restart_count_as_good() -> None:
    book = BadRowBook("train", 0.01, rows=1000, used=995)
    book.add(5, bad(5))
    book.end()


@pytest.mark.parametrize(("outages", "is_outage"), [(3, True), (1, False)])
def test_an_outage_is_no_fault_of_the_data(outages: int, is_outage: bool) -> None:
    with pytest.raises(DataError) as caught:
        BadRowBook("train", 0, rows=9).add(9, (*bad(outages, is_outage=True), *bad(1)))
    assert (outage_of(caught.value) is not None) == is_outage
