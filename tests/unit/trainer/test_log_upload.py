"""The log of a run in an object store: uploaded beside training, which never waits for the store."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from progress_samples import ended, notice, progress

from trainingrun.contract.records import Record, parse_line
from trainingrun_trainer.driver.bounded_lines import BoundedLines
from trainingrun_trainer.driver.event_log import EventLog
from trainingrun_trainer.driver.log_upload import LogUpload
from trainingrun_trainer.storage import RunStorage

LOG = "progress/attempt-0001.jsonl"


class Store(MemoryFileSystem):
    """A store whose writes wait while `open_gate` is cleared, and fail while `error` is set."""

    protocol = "gated"
    store: dict[str, Any] = {}  # noqa: RUF012 - fsspec's own
    pseudo_dirs: list[str] = [""]  # noqa: RUF012
    open_gate = threading.Event()
    error: Exception | None = None
    writes = 0

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode == "wb":
            type(self).writes += 1
            self.open_gate.wait(60)
            if self.error is not None:
                raise self.error
        return super()._open(path, mode, **options)


@pytest.fixture
def store() -> Iterator[type[Store]]:
    fsspec.register_implementation("gated", Store, clobber=True)
    Store.store.clear()
    Store.pseudo_dirs[:] = [""]
    Store.error, Store.writes = None, 0
    Store.open_gate.set()
    yield Store
    Store.open_gate.set()


@pytest.fixture
def storage(store: type[Store]) -> RunStorage:
    return RunStorage("gated://runs", "digits")


def kept(storage: RunStorage) -> list[Record | None]:
    return [parse_line(line) for line in storage.read_text(LOG).splitlines()]


def wait_for_writes(store: type[Store], count: int) -> None:
    until = time.monotonic() + 10
    while store.writes < count:
        assert time.monotonic() < until, f"{store.writes} writes, expected {count}"
        time.sleep(0.005)


def test_records_arrive_in_the_store(storage: RunStorage) -> None:
    log = EventLog(storage, 1)
    for record in (notice("one"), progress(3), ended()):
        log.emit(record)
    log.close()
    assert kept(storage) == [notice("one"), progress(3), ended()]


def test_a_store_that_hangs_holds_nothing_up_and_gets_the_newest_state(
    store: type[Store], storage: RunStorage, capsys: pytest.CaptureFixture[str]
) -> None:
    store.open_gate.clear()
    log = LogUpload(storage, LOG, interval_seconds=0.0)
    log.write(notice("first").to_json() + "\n")
    wait_for_writes(store, 1)
    began = time.monotonic()
    for number in range(1000):
        log.write(notice(f"{number}").to_json() + "\n")
    assert time.monotonic() - began < 1.0
    store.open_gate.set()
    log.close()
    assert kept(storage) == [notice("first"), *(notice(f"{number}") for number in range(1000))]
    assert store.writes <= 4, "states between the first and the newest need no upload of their own"
    assert capsys.readouterr().err == ""


def test_closing_gives_a_store_up_that_does_not_answer(
    store: type[Store], storage: RunStorage, capsys: pytest.CaptureFixture[str]
) -> None:
    store.open_gate.clear()
    log = LogUpload(storage, LOG)
    log.write(notice("never arrives").to_json() + "\n")
    began = time.monotonic()
    log.close(seconds=0.2)
    assert 0.15 < time.monotonic() - began < 5.0
    assert "the store has not responded within 0.2 s; training continues" in capsys.readouterr().err


def test_a_store_that_refuses_is_said_once_and_gets_everything_later(
    store: type[Store], storage: RunStorage, capsys: pytest.CaptureFixture[str]
) -> None:
    store.error = PermissionError("no rights")
    log = LogUpload(storage, LOG, interval_seconds=0.0)
    log.write(notice("first").to_json() + "\n")
    wait_for_writes(store, 2)
    store.error = None
    log.write(notice("second").to_json() + "\n")
    log.close()
    assert capsys.readouterr().err.count("no rights; training continues") == 1
    assert kept(storage) == [notice("first"), notice("second")]


def test_uploads_keep_their_distance_but_for_the_last(store: type[Store], storage: RunStorage) -> None:
    log = LogUpload(storage, LOG, interval_seconds=60.0)
    log.write(notice("first").to_json() + "\n")
    wait_for_writes(store, 1)
    log.write(notice("second").to_json() + "\n")
    log.write(notice("third").to_json() + "\n")
    log.close()
    assert store.writes == 2
    assert kept(storage) == [notice("first"), notice("second"), notice("third")]


def test_a_driver_that_is_started_again_goes_on_in_its_attempts_log(storage: RunStorage) -> None:
    """After a lost head the same attempt runs again; what its first driver has told must stay."""
    for number in range(3):
        log = EventLog(storage, 1)
        log.emit(notice(f"{number}"))
        log.close()
    assert kept(storage) == [notice("0"), notice("1"), notice("2")]


def test_a_log_of_any_length_stays_within_its_bound() -> None:
    lines = BoundedLines(100_000)
    first, last = notice("the start").to_json() + "\n", ended().to_json() + "\n"
    lines.add(first)
    for step in range(5000):
        lines.add(progress(step).to_json() + "\n")
        if step % 500 == 0:
            lines.add(notice(f"{step}").to_json() + "\n")
        assert len(lines.text()) <= 100_000
    lines.add(last)
    text = lines.text()
    assert len(text) > 40_000
    assert text.startswith(first) and text.endswith(last)
    records = [parse_line(line) for line in text.splitlines()]
    assert [record.message for record in records if type(record) is type(notice(""))] == [
        "the start",
        *(f"{step}" for step in range(0, 5000, 500)),
    ], "progress goes before anything else"
    steps = [record.step for record in records if isinstance(record, type(progress(0)))]
    assert steps == sorted(steps) and steps[0] < 1000 < 4000 < steps[-1]


def test_a_log_without_progress_is_bounded_too() -> None:
    lines = BoundedLines(10_000)
    for number in range(1000):
        lines.add(notice(f"{number}").to_json() + "\n")
    assert len(lines.text()) <= 10_000
    assert '"0"' in lines.text() and '"999"' in lines.text()
