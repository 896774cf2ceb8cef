"""A rank gets the units of a pass in their order and each once, whatever is lost on the way. The hub is hand-made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import ray

from trainingrun_trainer.failures.errors import UserCodeError
from trainingrun_trainer.pool.client import PassRows
from trainingrun_trainer.pool.tasks import Given, PassKey

KEY = PassKey(1, "train", 0)


class Unit:
    """A reference to the table of one row `number`, or to one that is gone."""

    def __init__(self, number: int, *, is_lost: bool = False):
        self._number, self._is_lost = number, is_lost

    def __call__(self) -> pa.Table:
        if self._is_lost:
            raise ray.exceptions.ObjectLostError(f"{self._number}", None, "")
        return pa.table({"x": [self._number]})


class Hub:
    """Answers with `answers`, one after the other, and notes what the rank has said."""

    def __init__(self, answers: list[Given]):
        self.said: list[tuple[str, int]] = []
        self._answers = iter(answers)
        self.take = SimpleNamespace(remote=lambda key, rank: lambda: next(self._answers))
        self.took = SimpleNamespace(remote=lambda key, rank, number: self.said.append(("took", number)))
        self.lost = SimpleNamespace(remote=lambda key, rank, number: self.said.append(("lost", number)))


@pytest.fixture(autouse=True)
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "get", lambda answer: answer())
    monkeypatch.setattr(ray, "wait", lambda answers, **options: (answers, []))


def rows_of(hub: Any) -> list[int]:
    return [row for table in PassRows(hub, KEY, 0).tables() for row in table.column("x").to_pylist()]


def test_units_come_in_order_until_the_pass_has_ended() -> None:
    units = [Given(units=((0, Unit(0)), (1, Unit(1)))), Given(), Given(units=((2, Unit(2)),)), Given(has_ended=True)]
    hub = Hub(units)
    assert rows_of(hub) == [0, 1, 2]
    assert hub.said == [("took", 0), ("took", 1), ("took", 2)]


def test_a_unit_that_is_lost_is_waited_for_and_keeps_its_place() -> None:
    first = Given(units=((0, Unit(0)), (1, Unit(1, is_lost=True)), (2, Unit(2))))
    hub = Hub([first, Given(units=((3, Unit(3)),)), Given(units=((1, Unit(1)),)), Given(has_ended=True)])
    assert rows_of(hub) == [0, 1, 2, 3]
    assert hub.said == [("took", 0), ("lost", 1), ("took", 1), ("took", 2), ("took", 3)]


def test_an_error_is_raised_in_its_place_behind_all_that_came_before() -> None:
    hub = Hub([Given(units=((0, Unit(0)), (1, Unit(1)))), Given(error=UserCodeError("their words"))])
    seen = []
    with pytest.raises(UserCodeError, match="their words"):
        for table in PassRows(hub, KEY, 0).tables():
            seen += table.column("x").to_pylist()
    assert seen == [0, 1]


def test_what_was_waited_for_has_its_cause() -> None:
    rows = PassRows(Hub([Given(units=((0, Unit(0)),)), Given(has_ended=True)]), KEY, 0)
    assert len(list(rows.tables())) == 1
    assert set(rows.waited) == {"Production", "Transfer"}
    assert all(seconds > 0 for seconds in rows.waited.values())
