"""Progress records travel as JSON lines without loss, and no line can break a reader."""

from __future__ import annotations

import json
import math

import pytest
from record_samples import SAMPLES, complete_run, resumed_run, sample

from trainingrun.contract.records import KINDS, Notice, Progress, Record, Stall, parse_line


def test_every_kind_has_a_sample():
    assert {kind.kind for kind in SAMPLES} == set(KINDS)


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.kind)
def test_a_record_survives_its_line(kind: type[Record]):
    record = sample(kind)
    line = record.to_json()
    assert "\n" not in line
    assert parse_line(line) == record


def test_a_whole_run_survives():
    for record in (*complete_run(), *resumed_run()):
        assert parse_line(record.to_json() + "\n") == record


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_diverged_loss_is_strict_json(loss: float):
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    line = sample(Progress, metrics={"loss": loss}).to_json()
    json.loads(line, parse_constant=refuse)
    read = parse_line(line)
    assert isinstance(read, Progress)
    assert read.metrics["loss"] == loss or (math.isnan(loss) and math.isnan(read.metrics["loss"]))


def test_a_line_from_a_newer_version_is_read():
    values = json.loads(sample(Progress).to_json()) | {"new": 1}
    values["stall"]["new"] = 2
    assert parse_line(json.dumps(values)) == sample(Progress)


def test_a_line_from_an_older_version_is_read():
    values = json.loads(sample(Progress).to_json())
    del values["recent_stall"]
    assert parse_line(json.dumps(values)) == sample(Progress)


def test_the_recent_stall_is_read():
    record = sample(Progress, recent_stall=Stall(total_percent=50.0, steady_percent=50.0))
    assert parse_line(record.to_json()) == record


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "not json",
        sample(Notice).to_json()[:-3],
        "1",
        "null",
        "[1]",
        "[" * 100_000,
        "9" * 5000,
        "{}",
        '{"kind":[]}',
        '{"kind":"Unheard"}',
        '{"kind":"Notice"}',
        '{"kind":"Notice","time":"soon","attempt":1,"level":"a","message":"b"}',
        '{"kind":"Notice","time":1,"attempt":1,"level":"a","message":5}',
        '{"kind":"Notice","time":1,"attempt":null,"level":"a","message":"b"}',
    ],
)
def test_a_torn_or_unknown_line_is_no_record(line: str):
    assert parse_line(line) is None
