"""Charts: honest with thousands of points, and in one piece with none, one or impossible ones."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_samples import complete_run, resumed_run, sample

from trainingrun.contract.records import AttemptStarted, Progress, Stall
from trainingrun.history import history_of
from trainingrun.report.attempts import attempts_chart
from trainingrun.report.axes import LARGEST, step_axis, time_axis, value_axis
from trainingrun.report.charts import Chart, thin
from trainingrun.report.curves import metric_chart
from trainingrun.report.series import metric_names, training_series
from trainingrun.report.stall import UNATTRIBUTED, stall_chart
from trainingrun.report.throughput import throughput_chart
from trainingrun.report.time_spent import time_chart


def losses(values: list[float]) -> Chart:
    return metric_chart(
        history_of([sample(Progress, n, step=n, metrics={"loss": loss}) for n, loss in enumerate(values, 1)]),
        "loss",
        0,
    )


def looks(chart: Chart) -> list[str]:
    return [shape.look for shape in chart.shapes]


def data_of(chart: Chart, look: str) -> str:
    return next(shape.data for shape in chart.shapes if shape.look == look)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=600), st.integers(1, 20))
def test_thinning_keeps_every_extreme_and_invents_nothing(values: list[float], stretches: int):
    points = [(float(x), y) for x, y in enumerate(values)]
    kept = thin(points, stretches)
    assert kept == [point for point in points if point in set(kept)]
    assert kept[0] == points[0] and kept[-1] == points[-1]
    assert {min(values), max(values)} <= {y for _, y in kept}
    assert len(kept) <= 4 * stretches


def test_a_spike_among_ten_thousand_points_is_drawn():
    chart = losses([40.0 if step == 5000 else 1.0 for step in range(10_000)])
    line = data_of(chart, "line train")
    heights = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", line)]
    assert len(heights) <= 4 * 240
    assert min(heights) < 100 < 900 < max(heights)


def test_values_that_are_not_finite_are_a_gap_with_a_mark():
    chart = losses([3.0, 2.5, math.nan, math.inf, 2.0, 1.5])
    assert data_of(chart, "line train").count("M") == 2
    assert data_of(chart, "lost").count("M") == 2
    assert ("lost", "not a finite number") in chart.legend
    assert any("NaN" in cell for row in chart.table.rows for cell in row)


@pytest.mark.parametrize("values", [[math.nan], [math.inf, -math.inf], [1e300, 1e-300], [LARGEST, -LARGEST]])
def test_impossible_values_still_make_a_chart(values: list[float]):
    for shape in losses(values).shapes:
        assert not re.search("nan|inf|e[+-]", shape.data)


def test_one_point_is_a_dot():
    assert "dot train" in looks(losses([2.0]))
    assert "line train" not in looks(losses([2.0]))


def test_a_loss_over_many_decades_has_a_logarithmic_scale():
    assert "logarithmic" in losses([900.0, 1.0, 0.1]).unit
    assert "logarithmic" not in losses([2.0, 1.0]).unit


def test_training_and_validation_share_a_chart():
    history = history_of(complete_run())
    assert metric_names(history) == ["loss", "accuracy"]
    chart = metric_chart(history, "loss", 0)
    assert {"line train", "dot validation", "event best"} <= set(looks(chart))


def test_restarts_are_marked_with_the_work_they_cost():
    chart = metric_chart(history_of(resumed_run()), "loss", 0)
    hints = [shape.hint for shape in chart.shapes if shape.look == "event restart"]
    assert hints == [
        "attempt 1 began at step 20, 10 steps repeated",
        "workers restarted at step 20, 15 steps repeated",
    ]


def test_throughput_has_a_gap_at_each_interruption():
    chart = throughput_chart(history_of(resumed_run()))
    assert chart is not None
    assert data_of(chart, "line train").count("M") == 3


def test_stall_that_no_cause_explains_is_shown_as_such():
    stall = Stall(total_percent=50.0, steady_percent=50.0, causes={"Transfer": 20.0})
    chart = stall_chart(history_of([sample(Progress, 1, stall=stall), sample(Progress, 2, step=2, stall=stall)]))
    assert chart is not None
    assert [label for _, label in chart.legend] == ["Transfer", UNATTRIBUTED]
    assert chart.table.rows[0][1:] == ("50.0%", "20.0%", "30.0%")
    assert "so far" in chart.unit


def test_the_recent_stall_is_drawn_where_it_is_known():
    recent = Stall(total_percent=80.0, steady_percent=80.0, causes={"Collate": 80.0})
    chart = stall_chart(history_of([sample(AttemptStarted), sample(Progress, 1, recent_stall=recent)]))
    assert chart is not None
    assert chart.table.rows[0][1] == "80.0%"
    assert "so far" not in chart.unit


def test_without_measurements_there_is_no_chart():
    history = history_of([sample(AttemptStarted)])
    assert metric_names(history) == []
    assert throughput_chart(history) is None
    assert stall_chart(history) is None


def test_only_the_newest_attempts_are_drawn():
    chart = attempts_chart(history_of([sample(AttemptStarted, n * 10, n) for n in range(1, 31)]))
    assert len(chart.y_labels) == 20
    assert chart.y_labels[-1].text == "#30"
    assert chart.notes == ["The first 10 attempts are in the table only."]


@given(st.lists(st.floats(-LARGEST, LARGEST), min_size=1))
def test_every_value_has_a_place_on_its_axis(values: list[float]):
    axis = value_axis(values, may_be_logarithmic=True)
    assert all(0 <= axis.at(value) <= 1 for value in values)
    assert len(axis.ticks) <= 12


@given(st.floats(0, 1e12))
def test_time_has_few_ticks(seconds: float):
    assert 1 <= len(time_axis(seconds).ticks) <= 8


@given(st.lists(st.integers(0, 10**15)))
def test_steps_have_few_ticks(steps: list[int]):
    assert len(step_axis(steps).ticks) <= 12


def test_where_the_time_went_adds_up_to_all_of_it():
    history = history_of(resumed_run())
    chart = time_chart(history)
    assert chart is not None and history.seconds == 152
    parts = {name: (time, share) for name, time, share in chart.table.rows}
    # Two epochs of 10 s, of which 4 % were waits, a checkpoint, and 69 s without an attempt.
    assert parts == {
        "Steps of finished epochs": ("19 s", "12.6%"),
        "Waiting for data in them": ("0.8 s", "0.5%"),
        "Saving checkpoints": ("1.5 s", "1.0%"),
        "Between attempts": ("1 min 9 s", "45.4%"),
        "Starting, validating, and steps not kept": ("1 min 2 s", "40.5%"),
    }
    assert [shape.look for shape in chart.shapes] == [look for look, _ in chart.legend]
    assert chart.notes == ["25 steps were lost with restarts and done again."]
    assert time_chart(history_of([sample(AttemptStarted), sample(Progress, 1)])) is None


def test_a_pause_is_a_gap_in_the_throughput_and_not_the_epochs_mean():
    rates = [100.0, 110.0, None, 120.0, 130.0]
    records = [sample(Progress, n, step=n, recent_rows_per_second=rate) for n, rate in enumerate(rates, 1)]
    chart = throughput_chart(history_of(records))
    assert chart is not None
    line = next(shape.data for shape in chart.shapes if shape.look == "line train")
    assert line.count("M") == 2
    assert chart.description == "Rows per second from 100 rows/s to 130 rows/s."


def test_a_curve_is_of_the_steps_since_the_report_before_it():
    told_apart = [
        sample(Progress, n, step=n, metrics={"loss": 1.0, "left_out": 7.0}, recent_metrics=recent, scalars={"lr": 0.1})
        for n, recent in ((1, {"loss": 2.0}), (2, {"loss": 4.0}), (3, {}))
    ]
    history = history_of(told_apart)
    assert [(item.step, item.value) for item in training_series(history, "loss")] == [(1, 2.0), (2, 4.0)]
    assert [item.value for item in training_series(history, "left_out")] == [7.0, 7.0]
    assert [item.value for item in training_series(history, "lr")] == [0.1, 0.1, 0.1]
    assert metric_names(history) == ["loss", "left_out", "lr"]
    of_the_loops_own = history_of([sample(Progress, 1, metrics={"loss": 1.0})])
    assert [item.value for item in training_series(of_the_loops_own, "loss")] == [1.0]
