"""What counts as better, and when patience is over."""

from __future__ import annotations

import math

import pytest

from trainingrun.spec.recipe import EarlyStopping
from trainingrun_trainer.train.early_stopping import Patience, is_better


@pytest.mark.parametrize(
    ("value", "best", "mode", "by", "expected"),
    [
        (1.0, None, "Max", 0.0, True),
        (2.0, 1.0, "Max", 0.0, True),
        (1.0, 1.0, "Max", 0.0, False),
        (2.0, 1.0, "Min", 0.0, False),
        (0.5, 1.0, "Min", 0.0, True),
        (1.4, 1.0, "Max", 0.5, False),
        (1.6, 1.0, "Max", 0.5, True),
        (0.6, 1.0, "Min", 0.5, False),
        (math.nan, None, "Max", 0.0, False),
        (math.inf, 1.0, "Max", 0.0, False),
        (1.0, math.nan, "Max", 0.0, True),
        (1.0, math.inf, "Max", 0.0, True),
    ],
)
def test_better(value: float, best: float | None, mode: str, by: float, expected: bool) -> None:
    assert is_better(value, best, mode, by=by) is expected


def test_epochs_in_a_row_without_a_better_value() -> None:
    rule = EarlyStopping(metric="accuracy", patience=2)
    patience = Patience()
    over = []
    for value in (0.5, 0.4, 0.6, 0.6, math.nan):
        patience = patience.after(value, rule)
        over.append(patience.is_over(rule))
    assert over == [False, False, False, False, True]
    assert patience == Patience(0.6, 2) == Patience(**patience.state())
    assert not patience.is_over(None)
