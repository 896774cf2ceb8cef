"""A store that is away, full or breaks off is waited for: nothing is taken for damaged, and no work is lost."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from checkpoint_samples import save
from saver_samples import FIRST, SECOND, save_at

from trainingrun.contract.exits import Exit
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import InvalidConfiguration, StorageUnavailable
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpoint_book import Writer
from trainingrun_trainer.train.checkpoint_files import STATE_FILE, TornCheckpoint
from trainingrun_trainer.train.checkpointing import Saver


def test_a_store_that_refuses_one_read_loses_no_work(
    saver: Callable[..., Saver], storage: RunStorage, monkeypatch: pytest.MonkeyPatch, told: list[Any]
) -> None:
    for name in (FIRST, SECOND):
        save(storage, name)
    chunks = RunStorage.chunks
    for refusal in (OSError(errno.EBUSY, "SlowDown"), PermissionError("403"), TimeoutError(), FileNotFoundError()):

        def refuse(self: RunStorage, name: str, refusal: Exception = refusal) -> Iterator[bytes]:
            if name.endswith(STATE_FILE):
                with self._reached("read"):
                    raise refusal
            return chunks(self, name)

        monkeypatch.setattr(RunStorage, "chunks", refuse)
        with pytest.raises(StorageUnavailable) as raised:
            saver().restore()
        assert failure_of(raised.value).exit is Exit.INFRASTRUCTURE
    monkeypatch.undo()
    assert told == []
    assert storage.checkpoints() == [SECOND, FIRST]


def test_an_answer_that_breaks_off_is_no_damage(
    saver: Callable[..., Saver], storage: RunStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(storage, FIRST)
    chunks = RunStorage.chunks
    monkeypatch.setattr(
        RunStorage,
        "chunks",
        lambda self, name: iter([b"".join(chunks(self, name))[: -1 if name.endswith(STATE_FILE) else None]]),
    )
    with pytest.raises(StorageUnavailable, match=r"reading ended after \d+ of \d+ bytes"):
        saver().restore()


def test_a_temporary_folder_without_space_is_said_in_a_sentence(
    saver: Callable[..., Saver], storage: RunStorage, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    save(storage, FIRST)

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda self, mode: Full(self, mode.replace("b", "")))
    with pytest.raises(InvalidConfiguration) as raised:
        saver().restore()
    assert str(raised.value).startswith(f"spec.env: there is no space in the temporary folder, {temporary}")
    assert "allowed: a TMPDIR with so much space" in str(raised.value)


def test_a_full_store_is_waited_for(
    saver: Callable[..., Saver], storage: RunStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = saver()
    save_at(begun, 10)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageUnavailable, match="No space left on device") as raised:
        save_at(begun, 20)
    assert failure_of(raised.value).exit is Exit.INFRASTRUCTURE
    monkeypatch.undo()
    restored = saver(Writer(2, 1)).restore()
    assert restored is not None and restored.position.step == 10


def test_a_rank_that_reads_something_else_than_rank_0_has_seen_is_an_outage(
    saver: Callable[..., Saver], storage: RunStorage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    manifest = save(storage, FIRST)

    def torn(*_: Any) -> None:
        raise TornCheckpoint("state.pt does not match its digest")

    monkeypatch.setattr("trainingrun_trainer.train.checkpointing.fetch", torn)
    with pytest.raises(StorageUnavailable):
        saver()._fetch_own(FIRST, manifest, tmp_path)
