"""Which checkpoints stay: what can be resumed from, and what others may still write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from checkpoint_samples import get, put, save, save_as_before

from trainingrun_trainer.failures.errors import StorageUnavailable
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpoint_book import Book, Writer, is_trained
from trainingrun_trainer.train.checkpoint_files import STATE_FILE, Position

NOW = Writer(attempt=3, generation=2)
SAVED = "step-00000100-e00002a3g2"


@pytest.fixture(params=["disk", "object store"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> RunStorage:
    return RunStorage(f"{tmp_path}/runs" if request.param == "disk" else f"memory:/{tmp_path}/runs", "digits")


def tidy(storage: RunStorage, num_to_keep: int = 9, damaged: tuple[str, ...] = ()) -> list[str]:
    save(storage, SAVED)
    return sorted(Book(storage, NOW, num_to_keep).tidy(SAVED, damaged))


def without(*names: str) -> Callable[[RunStorage, str], None]:
    return lambda storage, folder: [storage.delete_file(f"{folder}/{name}") for name in names] and None


def cut(name: str) -> Callable[[RunStorage, str], None]:
    return lambda storage, folder: put(storage, f"{folder}/{name}", get(storage, f"{folder}/{name}")[:-20])


DAMAGES = {
    "no state": without(STATE_FILE),
    "no manifest": without("manifest.json"),
    "only another rank": without("manifest.json", STATE_FILE, "random-0.pt", "rows-0.npz"),
    "without another rank": without("random-1.pt", "rows-1.npz"),
    "half a state": cut(STATE_FILE),
    "half a manifest": cut("manifest.json"),
    "half the rows": cut("rows-1.npz"),
}


@pytest.fixture(params=DAMAGES)
def torn(request: pytest.FixtureRequest) -> Callable[[RunStorage, str], None]:
    def make(storage: RunStorage, name: str) -> None:
        save(storage, name)
        DAMAGES[request.param](storage, name)

    return make


def test_torn_checkpoints_of_dead_writers_are_deleted(
    storage: RunStorage, torn: Callable[[RunStorage, str], None]
) -> None:
    dead = ["step-00000050-e00001a2g7", "step-00000060-e00001a3g1", "step-00000090-e00002a1g1"]
    for name in [*dead, "step-00000110-e00002a1g1"]:
        torn(storage, name)
    stay = ["step-00000040-e00001a1g1", "step-00000070-e00002a3g1", "step-00000080-e00002a3g2"]
    for name in stay:
        save(storage, name)
    save_as_before(storage, "step-00000030-e00001a1g1")
    assert tidy(storage) == sorted([*dead, "step-00000110-e00002a1g1"])
    assert sorted(storage.checkpoints()) == sorted([*stay, "step-00000030-e00001a1g1", SAVED])
    assert tidy(storage) == []


def test_what_another_may_still_write_is_left_alone(
    storage: RunStorage, torn: Callable[[RunStorage, str], None]
) -> None:
    living = ["step-00000080-e00002a3g3", "step-00000080-e00002a4g1"]
    strange = ["step-00000080-mine", "step-00000080-e00002a1", "step-00000080-a1g1-copy"]
    for name in [*living, *strange, "best", "my-notes"]:
        torn(storage, name)
    assert tidy(storage) == []
    assert all(storage.sizes(name) for name in [*living, *strange, "best", "my-notes", SAVED])


def test_as_many_whole_ones_stay_as_are_to_be_kept(storage: RunStorage) -> None:
    for step in (10, 20, 30, 40):
        save(storage, f"step-{step:08d}-e00000a0g1")
    save_as_before(storage, "step-00000035-e00000a0g1")
    assert tidy(storage, num_to_keep=3) == []
    assert storage.checkpoints() == [SAVED, "step-00000040-e00000a0g1", "step-00000035-e00000a0g1"]
    assert tidy(storage, num_to_keep=1) == []
    assert storage.checkpoints() == [SAVED]


def test_torn_ones_do_not_count_as_kept(storage: RunStorage, torn: Callable[[RunStorage, str], None]) -> None:
    save(storage, "step-00000010-e00000a0g1")
    torn(storage, "step-00000020-e00000a9g1")
    assert tidy(storage, num_to_keep=2) == []
    assert storage.checkpoints() == [SAVED, "step-00000020-e00000a9g1", "step-00000010-e00000a0g1"]


def test_what_lies_beyond_pushes_out_nothing(storage: RunStorage) -> None:
    """One that looks whole but does not match its digests, and one of a writer that was thought dead."""
    save(storage, "step-00000090-e00002a3g2")
    for name in ("step-00000200-e00003a1g1", "step-00000300-e00003a4g1"):
        save(storage, name)
    assert tidy(storage, num_to_keep=2) == []
    assert len(storage.checkpoints()) == 4
    assert tidy(storage, num_to_keep=2, damaged=("step-00000200-e00003a1g1",)) == ["step-00000200-e00003a1g1"]
    assert storage.checkpoints() == ["step-00000300-e00003a4g1", SAVED, "step-00000090-e00002a3g2"]


def test_whole_ones_of_a_later_writer_are_not_pruned(storage: RunStorage) -> None:
    save(storage, "step-00000050-e00001a4g1")
    tidy(storage, num_to_keep=1)
    assert storage.checkpoints() == [SAVED, "step-00000050-e00001a4g1"]


@pytest.mark.parametrize("left", ["manifest.json", STATE_FILE])
def test_a_deletion_that_is_interrupted_is_made_up_for(
    storage: RunStorage, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    save(storage, "step-00000050-e00001a0g1")

    def half(self: RunStorage, folder: str) -> None:
        for name in self.list_files(folder):
            if name != left:
                self.delete_file(f"{folder}/{name}")

    monkeypatch.setattr(RunStorage, "delete", half)
    tidy(storage, num_to_keep=1)
    monkeypatch.undo()
    assert storage.list_files("step-00000050-e00001a0g1") == [left]
    assert tidy(storage, num_to_keep=1) == ["step-00000050-e00001a0g1"]
    assert storage.checkpoints() == [SAVED]


def test_a_store_that_is_away_makes_nothing_torn(storage: RunStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    save(storage, "step-00000040-e00001a1g1")

    def away(self: RunStorage, name: str) -> object:
        raise StorageUnavailable("away")

    for method in ("chunks", "sizes"):
        monkeypatch.setattr(RunStorage, method, away)
        with pytest.raises(StorageUnavailable):
            is_trained(storage, 1)
        with pytest.raises(StorageUnavailable):
            tidy(storage)
        monkeypatch.undo()
    assert len(storage.checkpoints()) == 2


def test_a_writer_is_none_that_has_written_before(storage: RunStorage) -> None:
    """A driver that is started again in the same attempt counts its workers' starts from 1 again."""
    assert Writer(3, 1).after(storage) == Writer(3, 1)
    for name in ("step-00000050-e00001a3g1", "step-00000060-e00001a3g4", "step-00000090-e00001a9g9"):
        save(storage, name)
    assert Writer(3, 1).after(storage) == Writer(3, 5)
    assert Writer(3, 7).after(storage) == Writer(3, 7)
    assert Writer(4, 1).after(storage) == Writer(4, 1)


def test_nothing_is_not_trained(storage: RunStorage) -> None:
    assert not is_trained(storage, 1)


def test_the_newest_whole_one_says_whether_a_run_is_trained(storage: RunStorage) -> None:
    save(storage, "step-00000020-e00002a0g1", position=Position(epoch=2, step=20))
    assert is_trained(storage, 2) and is_trained(storage, 1) and not is_trained(storage, 3)


def test_a_torn_last_one_never_says_so(storage: RunStorage, torn: Callable[[RunStorage, str], None]) -> None:
    save(storage, "step-00000010-e00001a0g1", position=Position(epoch=1, step=10))
    torn(storage, "step-00000020-e00002a0g1")
    assert not is_trained(storage, 2)
    assert is_trained(storage, 1)


def test_nor_does_a_last_one_that_does_not_match_its_digest(storage: RunStorage) -> None:
    save(storage, "step-00000020-e00002a0g1", position=Position(epoch=2, step=20))
    state = get(storage, f"step-00000020-e00002a0g1/{STATE_FILE}")
    put(storage, f"step-00000020-e00002a0g1/{STATE_FILE}", state[:-1] + bytes([state[-1] ^ 1]))
    assert not is_trained(storage, 2)


def test_last_checkpoints_of_before_say_so_too(storage: RunStorage) -> None:
    save_as_before(storage, "step-00000020-e00002a0g1", position=Position(epoch=2, step=20))
    assert is_trained(storage, 2)
    storage.delete_file(f"step-00000020-e00002a0g1/{STATE_FILE}")
    assert json.loads(get(storage, "step-00000020-e00002a0g1/manifest-0.json"))["position"]["epoch"] == 2
    assert not is_trained(storage, 2)
