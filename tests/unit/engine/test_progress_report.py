"""What a pod may report: every size is bounded, and what it says of time and of itself is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seen_objects import NOW

from trainingrun.engine.progress.report import InvalidReport, report_of


def body(**trainer: Any) -> bytes:
    return json.dumps({"trainerStatus": trainer}).encode()


def metrics(**values: str) -> bytes:
    return body(metrics=[{"name": name, "value": value} for name, value in values.items()])


def test_a_report_becomes_the_fields_that_trainers_report() -> None:
    report = report_of(
        body(
            progressPercentage=45,
            estimatedRemainingSeconds=7200,
            metrics=[{"name": "loss", "value": "0.25"}],
            lastUpdatedTime="2020-01-01T00:00:00Z",
        )
    )
    assert report.status(NOW) == {
        "trainerStatus": {
            "progressPercentage": 45,
            "estimatedRemainingSeconds": 7200,
            "metrics": [{"name": "loss", "value": "0.25"}],
            "lastUpdatedTime": "2026-09-01T12:00:00Z",
        }
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"dataStallPercentage": "12.6"}, {"stallPercentage": 13}),
        ({"dataStallPercentage": "250"}, {"stallPercentage": 100}),
        ({"dataStallPercentage": "-1"}, {}),
        ({"dataStallPercentage": "nan"}, {}),
        ({"dataStallPercentage": "inf"}, {}),
        ({"dataStallPercentage": ""}, {}),
        ({"rowsPerSecond": "1250.5"}, {"rowsPerSecond": 1250.5}),
        ({"dataStallProductionPercentage": "3", "dataStallTransferPercentage": "9"}, {"cause": "Transfer"}),
        ({"dataStallSteadyPercentage": "90", "dataStallTransferPercentage": "1"}, {"cause": "Transfer"}),
        ({"dataStall1Percentage": "90"}, {}),
    ],
)
def test_how_trainers_are_fed_is_read_from_metrics(given: dict[str, str], expected: dict[str, Any]) -> None:
    assert report_of(metrics(**given)).data == expected


def test_reports_are_equal_when_they_say_the_same_whenever_they_were_made() -> None:
    first, second = (body(progressPercentage=4, lastUpdatedTime=f"2026-09-01T12:00:0{n}Z") for n in (1, 2))
    assert report_of(first) == report_of(second)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (b"", "the body"),
        (b"\xff", "the body"),
        (b"[]", "the body"),
        (b"{}", "trainerStatus"),
        (b'{"trainerStatus": {}, "more": 1}', "more"),
        (body(progressPercentage=101), "trainerStatus.progressPercentage"),
        (body(progressPercentage="4"), "trainerStatus.progressPercentage"),
        (body(progressPercentage=4.5), "trainerStatus.progressPercentage"),
        (body(estimatedRemainingSeconds=-1), "trainerStatus.estimatedRemainingSeconds"),
        (body(estimatedRemainingSeconds=2**60), "trainerStatus.estimatedRemainingSeconds"),
        (body(metrics=[{"name": "", "value": "1"}]), "trainerStatus.metrics.0.name"),
        (body(metrics=[{"name": "x" * 129, "value": "1"}]), "trainerStatus.metrics.0.name"),
        (body(metrics=[{"name": "x", "value": "1" * 257}]), "trainerStatus.metrics.0.value"),
        (body(metrics=[{"name": "x", "value": 1}]), "trainerStatus.metrics.0.value"),
        (body(metrics=[{"name": "x", "value": "1"}] * 257), "trainerStatus.metrics"),
        (body(state="Complete"), "trainerStatus.state"),
        (body(lastUpdatedTime="now"), "trainerStatus.lastUpdatedTime"),
    ],
)
def test_what_is_not_a_report_is_refused_and_told_where(wrong: bytes, where: str) -> None:
    with pytest.raises(InvalidReport) as told:
        report_of(wrong)
    assert str(told.value).startswith(f"{where}: ")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: json.dumps({"trainerStatus": text}).encode()))
def test_no_body_is_anything_but_a_report_or_refused(wrong: bytes) -> None:
    with pytest.raises(InvalidReport):
        report_of(wrong)
