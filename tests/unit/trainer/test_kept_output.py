"""What a driver has printed stays beside the checkpoints, within a bound, whether it succeeded or not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from progress_samples import ended, progress
from run_samples import run_of

from trainingrun_trainer.driver import kept_output as module
from trainingrun_trainer.driver.kept_output import KeptOutput, kept_output
from trainingrun_trainer.storage import RunStorage

NAME = "logs/5f4c1f0a-0002-driver.log"


@pytest.fixture
def storage(tmp_path: Path) -> RunStorage:
    return RunStorage(str(tmp_path), "digits")


def kept(storage: RunStorage, path: Path) -> str:
    writer = KeptOutput(storage, NAME, path)
    writer.write(progress(1).to_json() + "\n")
    writer.write(ended().to_json() + "\n")
    writer.close()
    assert writer.trouble is None
    return storage.read_text(NAME)


def test_all_that_was_printed_is_there_with_the_end_that_is_printed_last(storage: RunStorage, tmp_path: Path) -> None:
    (tmp_path / "job.log").write_text("epoch 0\nTraceback\n")
    assert kept(storage, tmp_path / "job.log") == f"epoch 0\nTraceback\n{ended().to_json()}\n"


def test_a_driver_on_another_head_goes_on_after_what_the_lost_one_left(storage: RunStorage, tmp_path: Path) -> None:
    (tmp_path / "job.log").write_text("again\n")
    storage.write_text(NAME, "before the head was lost\n")
    assert kept(storage, tmp_path / "job.log").startswith("before the head was lost\nagain\n")


def test_only_the_last_whole_lines_of_much_output_stay(
    storage: RunStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = f"{ended().to_json()}\n"
    monkeypatch.setattr(module, "_MAX_BYTES", len(end) + 25)
    (tmp_path / "job.log").write_text("".join(f"line {number:04d}\n" for number in range(1000)))
    assert kept(storage, tmp_path / "job.log") == f"line 0998\nline 0999\n{end}"


def test_only_a_file_is_kept_and_only_on_a_cluster(storage: RunStorage, tmp_path: Path) -> None:
    with (tmp_path / "job.log").open("w") as file:
        assert kept_output(run_of(), storage, 2, file.fileno()) == ()
        (writer,) = kept_output(run_of(metadata={"uid": "5f4c1f0a"}), storage, 2, file.fileno())
        os.write(file.fileno(), b"epoch 0\n")
        writer.close()
    assert storage.read_text(NAME) == "epoch 0\n"
    pipe = os.pipe()
    assert kept_output(run_of(metadata={"uid": "5f4c1f0a"}), storage, 2, pipe[1]) == ()
    for end in pipe:
        os.close(end)
