"""The report of a run is beside its checkpoints while it trains, and neither holds up nor ends an attempt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from progress_samples import ended, notice, progress, saved, started

from trainingrun_trainer.driver.event_log import EventLog
from trainingrun_trainer.driver.live_report import LiveReport
from trainingrun_trainer.failures.errors import StorageUnavailable
from trainingrun_trainer.storage import RunStorage

LOG = "progress/attempt-0000.jsonl"


@pytest.fixture
def storage(tmp_path: Path) -> RunStorage:
    return RunStorage(str(tmp_path), "digits")


def page(storage: RunStorage) -> str:
    return storage.read_text("report.html")


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "what was waited for has not come"
        time.sleep(0.01)


def test_the_page_is_there_before_the_run_has_ended(storage: RunStorage) -> None:
    log = EventLog(storage, 0)
    for record in (started(), progress(3), saved(3)):
        log.emit(record)
    wait_for(lambda: "No end recorded" in page(storage))
    log.emit(ended())
    log.close()
    assert "No end recorded" not in page(storage)
    assert "Complete" in page(storage)


def test_an_attempt_of_which_nothing_is_known_leaves_no_page(storage: RunStorage) -> None:
    EventLog(storage, 0).close()
    assert not page(storage)


def test_earlier_attempts_are_on_the_page_once(storage: RunStorage) -> None:
    first = EventLog(storage, 0)
    for record in (started(), notice("of the first attempt"), saved(3)):
        first.emit(record)
    first.close()
    # A head that was lost: the driver of the same attempt begins again in the same log.
    again = EventLog(storage, 0)
    again.emit(notice("of its second driver"))
    again.emit(ended())
    again.close()
    second = EventLog(storage, 1)
    second.emit(started(1))
    second.emit(ended())
    second.close()
    for words in ("of the first attempt", "of its second driver", "with 2 attempts"):
        assert page(storage).count(words) == 1, words


@dataclass(frozen=True)
class Gated(RunStorage):
    """Writes wait for `gate`, and fail."""

    gate: threading.Event = field(default_factory=threading.Event)

    def write_text(self, name: str, text: str) -> None:
        self.gate.wait(30)
        raise StorageUnavailable("the disk is full")


def test_a_page_that_cannot_be_written_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = Gated(str(tmp_path), "digits")
    storage.gate.set()
    report = LiveReport(storage, LOG, pause_seconds=0.0)
    for step in range(3):
        report.write(saved(step).to_json() + "\n")
    report.close()
    said = capsys.readouterr().err
    assert said == "warning: report.html cannot be written: the disk is full; training continues\n"


def test_a_store_that_hangs_holds_nothing_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = Gated(str(tmp_path), "digits")
    report = LiveReport(storage, LOG)
    for step in range(100):
        report.write(saved(step).to_json() + "\n")
    report.close(seconds=0.05)
    assert "it has taken more than 0.05 s; training continues" in capsys.readouterr().err
    storage.gate.set()


def test_pages_are_apart_however_often_there_is_news(storage: RunStorage) -> None:
    report = LiveReport(storage, LOG)
    report.write(saved(1).to_json() + "\n")
    wait_for(lambda: bool(page(storage)))
    first = page(storage)
    for step in range(2, 50):
        report.write(saved(step).to_json() + "\n")
    assert page(storage) == first
    report.close()
    assert page(storage) != first
