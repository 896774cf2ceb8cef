"""What of a report goes into a run's status: what it says of time and of itself is not believed."""

from __future__ import annotations

from typing import Any

import pytest
from seen_objects import NOW, at

from trainingrun.contract.progress_protocol import decode, encode
from trainingrun.engine.progress.reported_status import ReportedStatus, reported_status


def reported(metrics: dict[str, str], **fields: Any) -> ReportedStatus:
    return reported_status(decode(encode(metrics, **{"time": NOW, **fields})))


def test_a_report_becomes_the_fields_that_trainers_report() -> None:
    said = reported({"loss": "0.25"}, time=at(-1000), progress_percentage=45, estimated_remaining_seconds=7200)
    assert said.status(NOW) == {
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
        (
            {"dataNodesWanted": "4", "dataNodesReason": "Growing.", "dataNodesGainPercentage": "-3"},
            {"wantedNodes": 4, "reason": "Growing.", "gainPercentage": -3},
        ),
        ({"dataCache": "Partial", "badRows": "1234567890"}, {"cache": "Partial", "badRows": 1_234_567_890}),
        ({"dataCache": "Nearly", "badRows": "-1"}, {}),
        ({"dataCache": "", "badRows": "nan"}, {}),
        ({"badRows": "1e14"}, {}),
        ({"dataNodesWanted": "0", "dataNodesReason": "", "dataNodesGainPercentage": "-101"}, {}),
        ({"dataNodesWanted": "1e9", "dataNodesGainPercentage": "nan"}, {}),
        ({"dataStallProductionPercentage": "3", "dataStallTransferPercentage": "9"}, {"cause": "Transfer"}),
        ({"dataStallSteadyPercentage": "90", "dataStallTransferPercentage": "1"}, {"cause": "Transfer"}),
        ({"dataStallProductionPercentage": "0", "dataStallTransferPercentage": "nan"}, {}),
        ({"dataStall1Percentage": "90"}, {}),
    ],
)
def test_how_trainers_are_fed_is_read_from_metrics(given: dict[str, str], expected: dict[str, Any]) -> None:
    assert reported(given).data == expected


def test_reports_are_equal_when_they_say_the_same_whenever_they_were_made() -> None:
    first, second = (reported({}, time=at(seconds), progress_percentage=4) for seconds in (1, 2))
    assert first == second
