"""Trackers get what curves are made of, and neither hold up a run nor end it."""

from __future__ import annotations

import importlib.util
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from progress_samples import epoch_ended, progress, saved, started
from run_samples import run_of

from trainingrun.contract.exits import Exit
from trainingrun.contract.records import AttemptEnded, Notice, parse_line
from trainingrun.errors import InvalidSpec
from trainingrun_trainer.driver.event_log import EventLog, log_name
from trainingrun_trainer.driver.trackers import check_packages, trackers_of
from trainingrun_trainer.driver.tracking import tracker
from trainingrun_trainer.driver.tracking.description import End, description_of, end_of
from trainingrun_trainer.driver.tracking.tracker import Point, Refused, Tracker
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.storage import RunStorage

MLFLOW = {"mlflow": {"uri": "https://mlflow.example.com"}}


class FakeTracker:
    """Remembers what it was told; `fails` raises so many times first."""

    def __init__(self, fails: list[Exception] | None = None, wait: threading.Event | None = None):
        self.fails = fails or []
        self.wait = wait
        self.opened = 0
        self.points: list[Point] = []
        self.ends: list[tuple[End | None, str]] = []

    def open(self) -> None:
        if self.wait is not None:
            self.wait.wait(30)
        self.opened += 1

    def send(self, points: list[Point]) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.points += points

    def close(self, end: End | None, outcome: str) -> None:
        self.ends.append((end, outcome))


def ended(code: Exit) -> AttemptEnded:
    return AttemptEnded(time=1.0, attempt=0, outcome=code.outcome, exit_code=int(code), message="", seconds=1.0)


def tracked(client: FakeTracker, records: list[Any], **spec: Any) -> Tracker:
    writer = Tracker("spec.tracking.mlflow", client, run_of(**spec).spec, 0, interval_seconds=0.01)
    for record in records:
        writer.write(record.to_json() + "\n")
    writer.close()
    return writer


@pytest.fixture
def storage(tmp_path: Path) -> RunStorage:
    return RunStorage(str(tmp_path), "digits")


def test_steps_and_epochs_and_the_end_are_sent() -> None:
    client = FakeTracker()
    tracked(client, [started(), progress(3), saved(3), epoch_ended(4), ended(Exit.COMPLETE)])
    assert [(point.step, point.values) for point in client.points] == [
        (3, {"train/loss": 0.25, "train/accuracy": 0.9}),
        (4, {"epoch/loss": 0.5, "validation/loss": 0.75}),
    ]
    assert (client.opened, client.ends) == (1, [("Finished", "Complete")])


def test_a_tracker_that_was_away_gets_everything_later(capsys: pytest.CaptureFixture[str]) -> None:
    client = FakeTracker([ConnectionError("away"), ConnectionError("still away")])
    writer = Tracker("spec.tracking.mlflow", client, run_of().spec, 0, interval_seconds=0.01)
    writer._pause_after = lambda seconds: 0.01  # type: ignore[method-assign]
    for step in range(1, 4):
        writer.write(progress(step).to_json() + "\n")
    until = time.monotonic() + 30
    while len(client.points) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    writer.close()
    assert [point.step for point in client.points] == [1, 2, 3]
    assert capsys.readouterr().err.count("warning: spec.tracking.mlflow cannot be written: away") == 1


def test_what_will_never_be_taken_is_given_up_and_the_end_is_still_told() -> None:
    client = FakeTracker([Refused("no such name")])
    writer = tracked(client, [progress(1), ended(Exit.COMPLETE)])
    assert writer.trouble == "spec.tracking.mlflow cannot be written: no such name; training continues"
    assert (client.points, client.ends) == ([], [("Finished", "Complete")])


def test_a_tracker_that_hangs_holds_up_neither_a_record_nor_the_end_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tracker, "_CLOSE_SECONDS", 0.05)
    release = threading.Event()
    try:
        writer = tracked(FakeTracker(wait=release), [progress(1), ended(Exit.COMPLETE)])
        assert writer.trouble is not None and "has not responded within 0.05 s" in writer.trouble
    finally:
        release.set()


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "_MOST_LINES", 5)
    release, client = threading.Event(), FakeTracker()
    client.wait = release
    writer = Tracker("spec.tracking.mlflow", client, run_of().spec, 0, interval_seconds=0.0)
    for step in range(50):
        writer.write(progress(step).to_json() + "\n")
    release.set()
    writer.close()
    assert [point.step for point in client.points][-5:] == [45, 46, 47, 48, 49]
    assert len(client.points) <= 10


def test_nothing_is_begun_before_there_is_something_to_tell() -> None:
    client = FakeTracker()
    tracked(client, [started(), saved(1)])
    assert client.opened == 0


def test_trouble_is_a_record_once(storage: RunStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Tracker("spec.tracking.mlflow", FakeTracker([ConnectionError("away")] * 99), run_of().spec, 0, 0.0)
    log = EventLog(storage, 0, (writer,))
    log.emit(started())
    log.emit(progress(1))
    until = time.monotonic() + 30
    while writer.trouble is None and time.monotonic() < until:
        time.sleep(0.01)
    log.emit(epoch_ended(4))
    log.emit(epoch_ended(8))
    log.close()
    records = [parse_line(line) for line in storage.read_text(log_name(0)).splitlines()]
    told = [(record.level, record.message) for record in records if isinstance(record, Notice)]
    assert told == [("Warning", "spec.tracking.mlflow cannot be written: away; training continues")]


@pytest.mark.parametrize(
    ("code", "attempt", "rules", "end"),
    [
        (Exit.COMPLETE, 5, [], "Finished"),
        (Exit.ABORTED, 0, [], "Stopped"),
        (Exit.PREEMPTED, 9, [], None),
        (Exit.INVALID_CONFIG, 0, [], "Failed"),
        (Exit.USER_ERROR, 0, [], "Failed"),
        (Exit.INFRASTRUCTURE, 2, [], None),
        (Exit.INFRASTRUCTURE, 3, [], "Failed"),
        (Exit.USER_ERROR, 0, [{"action": "Count", "onClasses": ["UserError"]}], None),
        (Exit.PREEMPTED, 0, [{"action": "Fail", "onClasses": ["Preempted"]}], "Failed"),
        (Exit.INFRASTRUCTURE, 0, [{"action": "Fail", "onExitCodes": {"operator": "In", "values": [14]}}], "Failed"),
    ],
)
def test_an_attempt_that_is_retried_does_not_end_the_run(
    code: Exit, attempt: int, rules: list[Any], end: End | None
) -> None:
    assert end_of(run_of(failurePolicy={"rules": rules}).spec, attempt, ended(code)) == end


def test_a_run_is_described_by_its_recipe_with_defaults_and_without_secrets() -> None:
    optimizer = {"function": "torch.optim:SGD", "parameters": {"lr": 0.1, "api_key": "hunter2"}}
    dataset = {"train": {"format": "Parquet", "path": "/data/train"}}
    run = run_of(recipe={"dataset": dataset, "optimizer": optimizer, "metrics": [{"function": "my:accuracy"}]})
    told = description_of(run, "1-2-3", "s3://user:hunter2@bucket/runs/digits")
    assert told.parameters["optimizer.parameters.lr"] == "0.1"
    assert told.parameters["epochs"] == "10"
    assert told.parameters["metrics.0.function"] == "my:accuracy"
    assert told.tags["trainingrun.uid"] == told.identity == "1-2-3"
    assert told.tags["trainingrun.image"] == run.spec.image
    assert "hunter2" not in f"{told.parameters}{told.tags}"


def test_a_missing_package_is_named_with_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check_packages(run_of().spec.tracking)
    with pytest.raises(InvalidConfiguration, match=r"spec\.tracking\.mlflow: found no package mlflow-skinny here"):
        check_packages(run_of(tracking=MLFLOW).spec.tracking)


@pytest.mark.parametrize(
    ("tracking", "words"),
    [
        ({"mlflow": {"uri": "https://me:hunter2@mlflow.example.com"}}, "credentials belong into secretRef"),
        ({"mlflow": {"uri": "sqlite:///runs.db"}}, "an http:// or https:// address"),
        ({"wandb": {"project": "vision/digits"}}, "text without any of /"),
    ],
)
def test_an_address_or_name_that_cannot_be_is_refused_in_words(tracking: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSpec, match=words):
        run_of(tracking=tracking)


def test_a_run_without_a_uid_gets_an_identity_that_its_attempts_share(
    storage: RunStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    seen = []
    for attempt in (0, 1):
        writers = trackers_of(run_of(tracking={"tensorboard": False, **MLFLOW}), storage, attempt, attempt)
        seen += [writer._client._description.identity for writer in writers]  # type: ignore[attr-defined]
        for writer in writers:
            writer.close()
    assert len(seen) == 2 and seen[0] == seen[1] == storage.read_text("tracking-id")
