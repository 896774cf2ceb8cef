"""What pages know of a run, from whatever an API server may send."""

from __future__ import annotations

import copy
import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from status_page_runs import NOW, run, running

from trainingrun.status_page import Caller, overview_row, run_view_of, top_row
from trainingrun.status_page.page import status_page

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted(
    {*running()["status"], *running()["status"]["attempts"][0], *running()["spec"], "completionTime", "failures"}
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6), st.sampled_from(["status", "spec"]), JSON)
def test_nothing_that_a_server_sends_breaks_a_page(fields, part, entry):
    body = running()
    body[part] = {**body[part], **fields}
    if "attempts" not in fields:
        first, second = body["status"]["attempts"]
        body["status"]["attempts"] = [entry, {**first, **fields}, second]
    view = run_view_of(body)
    overview_row(view, NOW, wide=True)
    top_row(view)
    Console(file=io.StringIO(), width=80).print(status_page(view, NOW, Caller("trainingrun")))


def test_what_is_not_there_is_not_known():
    view = run_view_of({})
    assert view.state == "Pending"
    assert (view.percent, view.stall, view.attempt, view.created, view.rows_per_second) == (None,) * 5
    assert not view.is_seen


def test_the_driver_s_split_of_the_stall_wins_over_the_one_figure_of_status():
    assert run_view_of(running()).stall.causes == {"Production": 30.0, "Transfer": 4.0}
    body = copy.deepcopy(running())
    body["status"]["trainerStatus"]["metrics"] = []
    assert run_view_of(body).stall.causes == {"Production": 34.0}
    del body["status"]["dataStatus"]["stallPercentage"]
    assert run_view_of(body).stall is None


def test_bad_rows_and_what_the_cache_had_are_read_and_shown():
    body = copy.deepcopy(running())
    assert (run_view_of(body).bad_rows, run_view_of(body).data_cache) == (None, "")
    body["status"]["dataStatus"] |= {"cache": "Partial", "badRows": 1_234}
    view = run_view_of(body)
    assert (view.bad_rows, view.data_cache) == (1_234, "Partial")
    output = io.StringIO()
    Console(file=output, width=80).print(status_page(view, NOW, Caller("trainingrun")))
    lines = [" ".join(line.split()) for line in output.getvalue().splitlines()]
    assert {"cache Partial", "bad rows 1,234 left out"} <= set(lines)


def test_a_metric_that_is_a_name_is_no_number():
    metrics = run_view_of(running()).metrics
    assert "checkpoint" not in metrics
    assert metrics["loss"] == 0.2347


def test_true_is_not_a_number():
    body = run("Running", trainerStatus={"progressPercentage": True}, failures=True)
    assert run_view_of(body).percent is None
    assert run_view_of(body).failures == 0


def test_the_newest_attempt_is_the_one_with_the_highest_number():
    body = run("Running", attempts=[{"index": 3, "outcome": "Running"}, {"index": 1, "outcome": "Failed"}])
    assert run_view_of(body).attempt.index == 3
