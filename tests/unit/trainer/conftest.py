"""Fixtures of several files here: a Saver on a folder of the test's own, and an operator that takes reports."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from https_receiver import Receiver, https_receiver
from saver_samples import FIRST_WRITER

from trainingrun_trainer.driver.progress_push import Endpoint
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train import learner
from trainingrun_trainer.train.checkpoint_book import Writer
from trainingrun_trainer.train.checkpointing import Saver
from trainingrun_trainer.train.dry_run import Findings
from trainingrun_trainer.train.lockstep import Lockstep


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def storage(tmp_path: Path, temporary: Path) -> RunStorage:
    return RunStorage(str(tmp_path / "runs"), "digits")


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def saver(storage: RunStorage, told: list[tuple[str, str]]) -> Callable[..., Saver]:
    def make(writer: Writer = FIRST_WRITER, num_to_keep: int = 3, fence: str | None = None) -> Saver:
        return Saver(
            storage,
            Lockstep(0, 1),
            writer,
            num_to_keep=num_to_keep,
            recorded={},
            notify=lambda level, message: told.append((level, message)),
            fence=fence,
        )

    return make


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with https_receiver(tmp_path / "server") as running:
        yield running


@pytest.fixture
def endpoint(receiver: Receiver, tmp_path: Path) -> Endpoint:
    token = tmp_path / "token"
    token.write_text("first-token\n")
    return Endpoint(receiver.url, str(receiver.ca_file), str(token))


@pytest.fixture
def nothing_is_tried_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions of these tests count their calls: those of the dry run would be among them."""
    monkeypatch.setattr(learner, "dry_run", lambda *_, **__: Findings())
