"""While a run trains, its status says how far it is and whether data hold it up; and only the run itself can say so."""

from __future__ import annotations

import itertools
import re

import pytest
from foreign_reports import FORGED
from watched_run import WatchedRun

# Whoever has no token of a pod is not known, and a pod that is known may not report for others.
_REFUSALS = {
    "a pod of another run": (403, "does not belong to run later"),
    "a pod of no run": (403, "Pod stranger does not belong to run digits"),
    "a pod of another namespace": (403, "in a different namespace"),
    "a token for the API server": (401, "not valid here"),
    "a token of no pod": (401, "not bound to a pod"),
    "nonsense": (401, "not valid here"),
    "nobody": (401, "A token is missing"),
}
_CAUSES = {"Production", "Transfer", "Collate"}


def test_the_status_says_how_far_training_is(digits: WatchedRun) -> None:
    told = [status["trainerStatus"]["progressPercentage"] for status in digits.statuses_while_training]
    assert told == sorted(told)
    assert len({percentage for percentage in told if 0 < percentage < 100}) > 2
    assert digits.status["trainerStatus"]["progressPercentage"] == 100


def test_the_status_says_how_long_training_will_take(digits: WatchedRun) -> None:
    told = [status["trainerStatus"] for status in digits.statuses_while_training]
    left = [each["estimatedRemainingSeconds"] for each in told if 0 < each["progressPercentage"] < 99]
    assert left and all(seconds > 0 for seconds in left)
    assert left[-1] < left[0]
    assert digits.status["trainerStatus"]["estimatedRemainingSeconds"] == 0


def test_the_status_says_where_training_is(digits: WatchedRun) -> None:
    told = [
        {metric["name"]: metric["value"] for metric in status["trainerStatus"]["metrics"]}
        for status in digits.statuses_while_training
    ]
    steps = [int(metrics["step"]) for metrics in told]
    assert steps == sorted(steps)
    assert {metrics["totalEpochs"] for metrics in told} == {"6"}
    assert all(float(metrics["loss"]) > 0 for metrics in told)


def test_each_report_is_newer_than_the_one_before(digits: WatchedRun) -> None:
    told = [status["trainerStatus"]["lastUpdatedTime"] for status in digits.statuses_while_training]
    assert told == sorted(told)
    assert len(set(told)) > 3


def test_the_status_says_how_long_trainers_wait_for_data_and_why(digits: WatchedRun) -> None:
    told = [status["dataStatus"] for status in digits.statuses_while_training]
    assert all(0 <= data["stallPercentage"] <= 100 for data in told)
    # Before the first wait there is no cause of it.
    causes = {data["cause"] for data in told if "cause" in data}
    assert causes and causes <= _CAUSES
    assert all(data["rowsPerSecond"] > 0 for data in [*told, digits.status["dataStatus"]])
    assert {data["readyNodes"] for data in told} == {1}


def test_the_newest_checkpoint_is_named_as_soon_as_it_is_saved(digits: WatchedRun) -> None:
    told = [status.get("outputs", {}).get("last", {}).get("uri") for status in digits.statuses_while_training]
    names = [name for name, _ in itertools.groupby(told) if name]
    assert len(names) > 1
    assert names == sorted(names)


def test_the_page_shows_it_while_it_trains(digits: WatchedRun) -> None:
    lines = digits.page_while_training.splitlines()
    page = {line.split()[0]: line for line in lines if line and not line.startswith(" ")}
    assert lines[0].endswith("  Running")
    assert re.search(r"ETA \d.*epoch \d/6", page["progress"])
    assert "rows/s" in page["speed"]
    assert "4/4 pods ready" in page["nodes"]
    assert page["data"].split()[:2] == ["data", "stall"]


def test_a_pod_of_the_run_is_known_by_its_token(digits: WatchedRun) -> None:
    answer = digits.answers["a pod of the run that says nothing"]
    # What it says is not valid; or it has said something else in this second.
    assert answer.status in (422, 429), answer


@pytest.mark.parametrize("who", _REFUSALS)
def test_a_report_for_a_run_that_is_not_one_s_own_is_refused(digits: WatchedRun, who: str) -> None:
    status, words = _REFUSALS[who]
    answer = digits.answers[who]
    assert (answer.status, words in answer.sentence) == (status, True), answer


def test_nothing_of_a_refused_report_is_in_the_status(digits: WatchedRun) -> None:
    # The first step may be in the run's folder before it is in the status.
    reports = [version["status"].get("trainerStatus", {}) for version in digits.versions]
    told = [metric for report in reports for metric in report.get("metrics", [])]
    assert told
    assert FORGED not in {metric["name"] for metric in told}


def test_every_refusal_is_tried(digits: WatchedRun) -> None:
    assert set(digits.answers) - set(_REFUSALS) == {"a pod of the run that says nothing"}
