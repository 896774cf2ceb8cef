"""The run's own log keeps every record that matters, survives a killed driver, and never ends a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from progress_samples import ended, epoch_ended, notice, progress

from trainingrun.contract.records import Notice, Progress, parse_line
from trainingrun_trainer.driver.event_log import EventLog, log_name, next_attempt
from trainingrun_trainer.storage import RunStorage


@pytest.fixture
def storage(tmp_path: Path) -> RunStorage:
    return RunStorage(str(tmp_path), "digits")


def path_of(storage: RunStorage, attempt: int = 0) -> Path:
    assert storage.local_directory is not None
    return storage.local_directory / log_name(attempt)


def messages(path: Path) -> list[str | None]:
    """What each line says; None for a torn one."""
    records = [parse_line(line) for line in path.read_text().splitlines()]
    return [record.message if isinstance(record, Notice) else None for record in records]


def tried(storage: RunStorage, attempt: int) -> None:
    """An attempt that has come to something."""
    log = EventLog(storage, attempt)
    log.emit(notice("began"))
    log.close()


def test_an_attempt_of_which_nothing_is_known_leaves_no_log(storage: RunStorage) -> None:
    """A driver that ends while it waits for its cluster has tried nothing."""
    EventLog(storage, 0).close()
    assert next_attempt(storage) == 0


def test_records_are_lines_of_a_file_as_soon_as_they_are_made(storage: RunStorage) -> None:
    log = EventLog(storage, 0)
    for record in (notice("one"), progress(3), ended()):
        log.emit(record)
        assert parse_line(path_of(storage).read_text().splitlines()[-1]) == record
    log.close()
    assert path_of(storage).name == "attempt-0000.jsonl"


def test_of_progress_one_in_two_seconds_is_kept_and_of_the_rest_everything(storage: RunStorage) -> None:
    log = EventLog(storage, 0)
    for step in range(50):
        log.emit(progress(step))
        log.emit(notice(f"{step}"))
    log.close()
    kinds = [type(parse_line(line)).__name__ for line in path_of(storage).read_text().splitlines()]
    assert kinds.count("Notice") == 50
    assert kinds.count("Progress") <= 2


def test_the_last_progress_is_kept_however_soon_it_comes(storage: RunStorage) -> None:
    """A script of one's own may report only as it ends."""
    log = EventLog(storage, 0)
    for record in (progress(1), progress(2), progress(3), ended()):
        log.emit(record)
    log.close()
    records = [parse_line(line) for line in path_of(storage).read_text().splitlines()]
    assert records == [progress(1), progress(3), ended()]


def test_each_epoch_has_its_last_progress_with_what_came_before_it(storage: RunStorage) -> None:
    log = EventLog(storage, 0)
    for step, loss in ((1, 1.0), (2, 3.0), (3, 5.0)):
        log.emit(progress(step, recent_metrics={"loss": loss}, recent_seconds=1.0, recent_rows_per_second=10.0))
    log.emit(epoch_ended(3))
    log.close()
    first, last, _ = (parse_line(line) for line in path_of(storage).read_text().splitlines())
    assert isinstance(first, Progress) and isinstance(last, Progress)
    assert (first.recent_metrics, last.recent_metrics) == ({"loss": 1.0}, {"loss": 4.0})
    assert (last.step, last.recent_seconds) == (3, 2.0)


def test_the_last_progress_is_kept_without_an_end(storage: RunStorage) -> None:
    log = EventLog(storage, 0)
    for step in range(3):
        log.emit(progress(step))
    log.close()
    assert parse_line(path_of(storage).read_text().splitlines()[-1]) == progress(2)


def test_a_log_is_continued_after_half_a_line(storage: RunStorage) -> None:
    log = EventLog(storage, 0)
    log.emit(notice("before"))
    log.close()
    whole = notice("torn").to_json()
    for kept in range(1, len(whole)):
        path_of(storage).write_text(notice("before").to_json() + "\n" + whole[:kept])
        again = EventLog(storage, 0)
        again.emit(notice("after"))
        again.close()
        assert messages(path_of(storage)) == ["before", None, "after"]


def test_a_whole_log_is_continued_without_an_empty_line(storage: RunStorage) -> None:
    for number in range(3):
        log = EventLog(storage, 0)
        log.emit(notice(f"{number}"))
        log.close()
    assert messages(path_of(storage)) == ["0", "1", "2"]


def test_attempts_are_counted_by_their_logs(storage: RunStorage) -> None:
    assert next_attempt(storage) == 0
    for attempt in (0, 1, 7):
        tried(storage, attempt)
    path_of(storage).with_name("notes.txt").write_text("not a log")
    path_of(storage).with_name("attempt-notes.jsonl").write_text("not a log")
    assert next_attempt(storage) == 8


def test_a_folder_whose_attempts_began_with_1_goes_on_with_2(storage: RunStorage) -> None:
    tried(storage, 1)
    assert next_attempt(storage) == 2


def test_attempts_go_on_after_four_digits(storage: RunStorage) -> None:
    for attempt in (9_999, 10_000):
        tried(storage, attempt)
    assert next_attempt(storage) == 10_001


def test_a_folder_that_cannot_be_written_is_said_once(storage: RunStorage, capsys: pytest.CaptureFixture[str]) -> None:
    assert storage.local_directory is not None
    storage.local_directory.write_text("a file where the folder should be")
    log = EventLog(storage, 0)
    for number in range(5):
        log.emit(notice(f"{number}"))
    log.close()
    said = capsys.readouterr().err
    assert said.count("warning: the log progress/attempt-0000.jsonl cannot be written") == 1
    assert said.endswith("training continues\n")


def test_a_full_disk_is_said_once(storage: RunStorage, capsys: pytest.CaptureFixture[str]) -> None:
    path_of(storage).parent.mkdir(parents=True)
    path_of(storage).symlink_to("/dev/full")  # every write to it fails for lack of space
    log = EventLog(storage, 0)
    for number in range(5):
        log.emit(notice(f"{number}"))
    log.close()
    assert capsys.readouterr().err.count("No space left on device") == 1
