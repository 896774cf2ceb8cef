"""What a driver reports is what the operator reads, and what is not a report is refused by both."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_samples import sample

from trainingrun.contract.progress_metrics import metrics_of, numbers_in, stall_causes, stall_of
from trainingrun.contract.progress_protocol import InvalidReport, decode, encode
from trainingrun.contract.records import Progress, Stall

NOW = datetime(2026, 9, 1, 12, 0, 0, 250_000, UTC)
TEXT = st.text(min_size=1, max_size=40)


def body(**trainer: Any) -> bytes:
    return json.dumps({"trainerStatus": trainer}).encode()


@settings(deadline=None)
@given(st.dictionaries(TEXT, TEXT, max_size=20), st.none() | st.integers(0, 100), st.none() | st.integers(0, 2**53 - 1))
def test_a_report_is_read_as_it_was_written(
    metrics: dict[str, str], percentage: int | None, seconds: int | None
) -> None:
    written = encode(metrics, time=NOW, progress_percentage=percentage, estimated_remaining_seconds=seconds)
    read = decode(written)
    assert read.metrics_by_name() == metrics
    assert (read.progress_percentage, read.estimated_remaining_seconds) == (percentage, seconds)
    assert read.last_updated_time == NOW.replace(microsecond=0)


def test_a_request_is_as_kubeflow_trainer_has_it() -> None:
    assert json.loads(encode({"loss": "0.25"}, time=NOW, progress_percentage=4)) == {
        "trainerStatus": {
            "progressPercentage": 4,
            "metrics": [{"name": "loss", "value": "0.25"}],
            "lastUpdatedTime": "2026-09-01T12:00:00Z",
        }
    }


def test_a_client_may_name_the_version_and_kind_that_it_writes() -> None:
    named = {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "trainerStatus": {}}
    assert decode(json.dumps(named).encode()).metrics == ()


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (b"", "the body"),
        (b"\xff", "the body"),
        (b"[]", "the body"),
        (b"{}", "trainerStatus"),
        (b'{"trainer_status": {}}', "trainerStatus"),
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
        decode(wrong)
    assert str(told.value).startswith(f"{where}: ")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: json.dumps({"trainerStatus": text}).encode()))
def test_no_body_is_anything_but_a_report_or_refused(wrong: bytes) -> None:
    with pytest.raises(InvalidReport):
        decode(wrong)


@pytest.mark.parametrize(
    "metrics", [{"": "1"}, {"x" * 129: "1"}, {"x": "1" * 257}, {f"metric-{number}": "1" for number in range(257)}]
)
def test_what_would_be_refused_is_not_sent(metrics: dict[str, str]) -> None:
    with pytest.raises(InvalidReport, match=r"^metrics[^\n]*$"):
        encode(metrics, time=NOW)


def test_progress_becomes_metrics_that_a_reader_finds_again() -> None:
    stall = Stall(total_percent=4.0, steady_percent=2.0, causes={"Production": 3.0, "Transfer": 1.0})
    metrics = metrics_of(sample(Progress, stall=stall, epoch=1, metrics={"loss": math.nan}))
    assert all(isinstance(text, str) for text in metrics.values())
    numbers = numbers_in({**metrics, "checkpoint": "step-00000050-e00001a1g1"})
    assert math.isnan(numbers.pop("loss"))
    assert "checkpoint" not in numbers
    assert stall_of(numbers) == stall
    assert numbers["currentEpoch"] == 2


def test_what_is_not_known_is_no_metric() -> None:
    metrics = metrics_of(sample(Progress, stall=None, rows_per_second=None, goodput_percent=None))
    assert set(metrics) == {"loss", "currentEpoch", "totalEpochs", "step"}
    assert stall_of(numbers_in(metrics)) is None


def test_the_steady_stall_is_no_cause() -> None:
    numbers = {"dataStallSteadyPercentage": 9.0, "dataStallReadPercentage": 3.0, "dataStall1Percentage": 1.0}
    assert stall_causes(numbers) == {"Read": 3.0}
