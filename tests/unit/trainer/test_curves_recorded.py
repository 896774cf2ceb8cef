"""What the curves are made of: means of the steps since the last point, without cliffs where an epoch begins."""

from __future__ import annotations

import math
from typing import Any

import pytest
from offline import train
from offline_parts import VALIDATED, News, Plan, recipe
from progress_samples import progress

from trainingrun.contract.records import Stall
from trainingrun_trainer.driver.recent import joined


class EveryStep(News):
    """Shows each step."""

    def __init__(self) -> None:
        super().__init__()
        self.always_due = True


@pytest.fixture(scope="module")
def news() -> News:
    turns = [[[0, 1, 2, 3, 4, 5, 6, 7]], [[8, 9, 10, 11, 12, 13, 14, 15]], [[16, 17, 18, 19, 20, 21]]]
    shown = EveryStep()
    step = {"function": "offline_hooks:logging_step"}
    train(Plan(recipe(trainStep=step, metrics=None, dataset=VALIDATED), turns, validation=[[[0, 1, 2]]]), shown)
    return shown


def test_a_point_is_the_mean_of_the_steps_since_the_one_before(news: News) -> None:
    for epoch in (0, 1):
        shown = [status for status in news.published if status["epoch"] == epoch]
        assert [status["step"] for status in shown] == [3 * epoch + n for n in (1, 2, 3, 3)]
        recent = [status["recent_metrics"].get("loss") for status in shown]
        # At the epoch's end its means are shown again, and no step has been added.
        assert recent[3] is None
        so_far = [status["metrics"]["loss"] for status in shown]
        assert so_far[0] == pytest.approx(recent[0])
        assert so_far[1] == pytest.approx((recent[0] + recent[1]) / 2)
        assert so_far[3] == pytest.approx((8 * recent[0] + 8 * recent[1] + 6 * recent[2]) / 22)


def test_rates_and_gradients_and_what_a_step_logs_are_beside(news: News) -> None:
    for status in news.published:
        scalars = status["scalars"]
        assert scalars["learning_rate"] == 0.05
        if status["recent_metrics"]:
            assert scalars["gradient_norm"] > 0
    # Neither those of the trial before the first step nor those of validation, which calls the same function.
    assert [status["scalars"].get("rows") for status in news.published] == [8, 8, 6, None] * 2


def stretch(rows: float, seconds: float, loss: float, **fields: Any) -> dict[str, Any]:
    return {
        "recent_seconds": seconds,
        "recent_rows_per_second": rows / seconds,
        "recent_stall": Stall(total_percent=loss, steady_percent=0.0),
        "recent_metrics": {"loss": loss},
        "scalars": {"learning_rate": loss},
        **fields,
    }


def test_two_stretches_are_one() -> None:
    both = joined(stretch(30, 1.0, 1.0), stretch(10, 3.0, 5.0))
    assert (both["recent_seconds"], both["recent_rows_per_second"]) == (4.0, 10.0)
    assert both["recent_stall"].total_percent == 4.0
    assert (both["recent_metrics"], both["scalars"]) == ({"loss": 2.0}, {"learning_rate": 2.0})


def test_what_is_not_known_of_one_stretch_is_that_of_the_other() -> None:
    nothing = {"recent_seconds": None, "recent_rows_per_second": None, "recent_metrics": {}, "scalars": {"other": 1.0}}
    both = joined(stretch(30, 1.0, 1.0), nothing)
    assert both["recent_metrics"] == {"loss": 1.0}
    assert both["scalars"] == {"learning_rate": 1.0, "other": 1.0}
    assert joined(nothing, nothing)["recent_rows_per_second"] is None
    unknown = joined(vars(progress(1)), vars(progress(2)))
    assert (unknown["recent_metrics"], unknown["scalars"]) == (None, {})
    assert math.isnan(joined(stretch(1, 1.0, math.nan), stretch(1, 1.0, 1.0))["recent_metrics"]["loss"])
