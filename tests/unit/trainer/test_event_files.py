"""TensorBoard's event files: what curves are made of, in files that are read one after the other."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from progress_samples import ended, epoch_ended, progress, saved, started
from run_samples import run_of
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c

from trainingrun.contract.records import Record, Stall
from trainingrun_trainer.driver import event_files
from trainingrun_trainer.driver.event_files import EventFiles
from trainingrun_trainer.driver.event_log import EventLog
from trainingrun_trainer.driver.trackers import trackers_of
from trainingrun_trainer.storage import RunStorage

STALL = Stall(total_percent=4.0, steady_percent=2.0)


def step(number: int, loss: float = 1.0, **fields: Any) -> Record:
    recent = {"recent_metrics": {"loss": loss}, "recent_rows_per_second": 100.0, "recent_stall": STALL}
    return progress(number, **recent, scalars={"learning_rate": 0.1}, **fields)


def events_in(storage: RunStorage) -> Iterator[Event]:
    """The events of all files in the order in which TensorBoard reads them; fails where one is damaged."""
    for name in storage.list_files("tensorboard"):
        data = b"".join(storage.chunks(f"tensorboard/{name}"))
        versions = 0
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            assert struct.unpack("<I", data[8:12]) == (masked_crc32c(data[:8]),)
            body, data = data[12 : 12 + length], data[16 + length :]
            event = Event.FromString(body)
            versions += event.file_version == "brain.Event:2"
            yield event
        assert versions == 1


def shown(storage: RunStorage) -> list[tuple[int, dict[str, float]]]:
    """Steps and their values by tag."""
    return [
        (event.step, {value.tag: round(value.simple_value, 6) for value in event.summary.value})
        for event in events_in(storage)
        if event.HasField("summary")
    ]


def written(storage: RunStorage, records: list[Record], attempt: int = 0) -> None:
    files = EventFiles(storage, attempt)
    for record in records:
        files.write(record.to_json() + "\n")
    files.close()


@pytest.fixture
def storage(tmp_path: Path) -> RunStorage:
    return RunStorage(str(tmp_path), "digits")


def test_steps_and_epochs_are_curves(storage: RunStorage) -> None:
    written(storage, [started(), step(1, 2.0), saved(1), epoch_ended(1), ended()])
    assert shown(storage) == [
        (1, {"train/loss": 2.0, "learning_rate": 0.1, "data/rows_per_second": 100.0, "data/stall_percent": 4.0}),
        (1, {"epoch/loss": 0.5, "validation/loss": 0.75}),
    ]


def test_a_loop_that_tells_no_recent_metrics_has_curves_of_those_it_tells(storage: RunStorage) -> None:
    written(storage, [progress(3)])
    assert shown(storage) == [(3, {"train/loss": 0.25, "train/accuracy": 0.9})]


def test_an_attempt_that_trains_nothing_leaves_no_file(storage: RunStorage) -> None:
    written(storage, [started(), ended()])
    assert storage.list_files("tensorboard") == []


def test_steps_that_are_done_again_replace_those_that_were_lost(storage: RunStorage) -> None:
    written(storage, [started(), step(1), step(2), step(3), step(2), step(3)])
    restarts = [event.step for event in events_in(storage) if event.HasField("session_log")]
    assert restarts == [1, 2]


def test_a_store_gets_another_file_when_one_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "_FILE_BYTES", 2000)
    MemoryFileSystem.store.clear()
    store = RunStorage("memory://runs", "digits")
    files = EventFiles(store, 0, interval_seconds=0.01)
    for number in range(1, 101):
        files.write(step(number).to_json() + "\n")
        if number % 25 == 0:
            _wait_until_written(store, number)
    files.close()
    assert len(store.list_files("tensorboard")) > 2
    assert [number for number, _ in shown(store)] == list(range(1, 101))


def _wait_until_written(store: RunStorage, number: int) -> None:
    import time

    def is_written() -> bool:
        try:
            return any(step == number for step, _ in shown(store))
        except (AssertionError, struct.error):
            # Unlike a store, a file system in memory shows a file before it is whole.
            return False

    until = time.monotonic() + 30
    while not is_written():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_store_that_refuses_is_said_once(
    storage: RunStorage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert storage.local_directory is not None
    storage.local_directory.write_text("a file where the folder should be")
    written(storage, [step(1), step(2)])
    said = capsys.readouterr().err
    assert said.count("warning: tensorboard cannot be written: ") == 1
    assert said.endswith("training continues\n")


def test_a_run_has_them_unless_it_says_no(storage: RunStorage) -> None:
    for tracking, count in (({"tensorboard": False}, 0), ({}, 1)):
        log = EventLog(storage, 0, trackers_of(run_of(tracking=tracking), storage, 0, 0))
        log.emit(step(1))
        log.close()
        assert len(storage.list_files("tensorboard")) == count
