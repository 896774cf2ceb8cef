"""What a rank saves and goes on from: whole checkpoints only, and nothing else for as long as the store is away."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_samples import POSITION, STATE, consumed_by, get, put, rewrite, save, save_as_before
from saver_samples import CPU, FIRST, SECOND, damage, save_at

from trainingrun.contract.records import KeptCheckpoint
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train import checkpoint_files
from trainingrun_trainer.train.checkpoint_book import Writer
from trainingrun_trainer.train.checkpoint_files import STATE_FILE, Position
from trainingrun_trainer.train.checkpointing import Saver
from trainingrun_trainer.train.lockstep import Lockstep


def test_what_is_saved_comes_back(saver: Callable[..., Saver], storage: RunStorage) -> None:
    values = save_at(saver(), 10)
    assert values["path"] == f"{storage.location}/step-00000010-e00000a1g1"
    assert (values["step"], values["epoch"], values["best"]) == (10, 0, False)
    assert values["size_bytes"] == sum(
        size for name, size in storage.sizes("step-00000010-e00000a1g1").items() if name != "manifest.json"
    )
    again = saver(Writer(2, 1))
    restored = again.restore()
    assert restored is not None
    assert restored.name == "step-00000010-e00000a1g1"
    assert restored.position == Position(step=10, epoch_step=10)
    assert restored.state(CPU)["model"].tolist() == [10] * 4


def test_nothing_is_there_to_go_on_from(saver: Callable[..., Saver], told: list[Any], temporary: Path) -> None:
    assert saver().restore() is None
    assert told == [] and list(temporary.iterdir()) == []


def test_a_run_killed_while_it_saved_its_first_checkpoint_begins_again(
    saver: Callable[..., Saver], storage: RunStorage, told: list[tuple[str, str]]
) -> None:
    save(storage, FIRST)
    storage.delete_file(f"{FIRST}/manifest.json")
    begun = saver()
    assert begun.restore() is None
    (notice,) = told
    assert notice[0] == "Warning"
    assert f"checkpoint {FIRST} is not intact (manifest.json is missing)" in notice[1]
    assert "training starts from the beginning" in notice[1]
    save_at(begun, 5)
    assert storage.checkpoints() == ["step-00000005-e00000a1g1"]
    assert told[1:] == [("Info", f"deleted incomplete checkpoints of earlier attempts: {FIRST}")]


def test_torn_ones_are_skipped_and_leave_nothing_behind(
    saver: Callable[..., Saver], storage: RunStorage, told: list[tuple[str, str]]
) -> None:
    save(storage, FIRST, ranks=1)
    save(storage, SECOND, ranks=4)
    damage(storage, SECOND)
    begun = saver()
    restored = begun.restore()
    assert restored is not None and restored.name == FIRST
    assert sorted(path.name for path in restored.directory.iterdir()) == ["random-0.pt", "rows-0.npz", STATE_FILE]
    assert [path.name for path in restored.directory.parent.iterdir()] == [FIRST]
    assert [level for level, _ in told] == ["Warning"] and SECOND in told[0][1] and "previous one" in told[0][1]
    # It looks whole, and has more steps: it must not push out what training really comes from.
    save_at(begun, 15)
    assert storage.checkpoints() == ["step-00000015-e00000a1g1", FIRST]


def test_a_mistake_of_the_author_is_not_the_store_s(saver: Callable[..., Saver]) -> None:
    with pytest.raises(Exception, match="pickle"):
        saver().save({"model": lambda: None}, POSITION, consumed_by(0), {}, best=False)


def test_checkpoints_of_before_are_gone_on_from(saver: Callable[..., Saver], storage: RunStorage) -> None:
    for name in (FIRST, SECOND, "step-00000030-e00000a0g1"):
        save_as_before(storage, name)
    begun = saver(num_to_keep=2)
    restored = begun.restore()
    assert restored is not None and restored.name == "step-00000030-e00000a0g1"
    assert restored.position == POSITION and restored.changes == ()
    assert torch.equal(restored.state(CPU)["model"], STATE["model"])
    save_at(begun, 40)
    assert storage.checkpoints() == ["step-00000040-e00000a1g1", "step-00000030-e00000a0g1"]


def test_a_later_format_is_no_reason_to_go_on_from_something_older(
    saver: Callable[..., Saver], storage: RunStorage
) -> None:
    for name in (FIRST, SECOND):
        save(storage, name)
    rewrite(storage, SECOND, version=7)
    with pytest.raises(InvalidConfiguration, match="version 7"):
        saver().restore()
    assert storage.checkpoints() == [SECOND, FIRST]


def test_ray_trains_list_is_of_no_interest(saver: Callable[..., Saver], storage: RunStorage, told: list[Any]) -> None:
    for text in ('{"checkpoint_results": [{"checkpoint_dir_name": "gone"}]}', '{"checkpoint_res', ""):
        put(storage, "checkpoint_manager_snapshot.json", text.encode())
        save_at(saver(), 10)
        assert saver(Writer(2, 1)).restore() is not None
    assert told == []


class TestBest:
    def kept(self, storage: RunStorage) -> tuple[str, list[int]]:
        said = json.loads(storage.read_text("best/metrics.json"))
        state = torch.load(io.BytesIO(get(storage, f"best/{STATE_FILE}")))
        return said["checkpoint"], state["model"].tolist()

    def test_it_outlives_the_checkpoints_around_it(self, saver: Callable[..., Saver], storage: RunStorage) -> None:
        begun = saver(num_to_keep=1)
        save_at(begun, 10, best=True, loss=0.1)
        save_at(begun, 20)
        assert storage.checkpoints() == ["step-00000020-e00000a1g1"]
        assert self.kept(storage) == ("step-00000010-e00000a1g1", [10] * 4)
        assert json.loads(storage.read_text("best/metrics.json"))["metrics"] == {"loss": 0.1}
        assert storage.list_files("best") == ["manifest.json", "metrics.json", STATE_FILE]
        manifest = checkpoint_files.inspect(storage, "best")
        assert (manifest.position.step, manifest.metrics, list(manifest.files)) == (10, {"loss": 0.1}, [STATE_FILE])

    def test_it_says_what_its_state_must_be(self, saver: Callable[..., Saver], storage: RunStorage) -> None:
        begun = saver()
        assert begun.best() is None
        save_at(begun, 10, best=True, loss=0.1)
        state = get(storage, f"best/{STATE_FILE}")
        digest = {"bytes": len(state), "sha256": hashlib.sha256(state).hexdigest()}
        assert json.loads(storage.read_text("best/metrics.json"))["files"] == {STATE_FILE: digest}
        assert saver().best() == KeptCheckpoint(name="step-00000010-e00000a1g1", metrics={"loss": 0.1})

    def test_what_was_saved_already_can_become_it(self, saver: Callable[..., Saver], storage: RunStorage) -> None:
        begun = saver()
        save_at(begun, 10)
        begun.keep_best({"validation_loss": 0.25})
        assert self.kept(storage) == ("step-00000010-e00000a1g1", [10] * 4)
        assert json.loads(storage.read_text("best/metrics.json"))["metrics"] == {"validation_loss": 0.25}

    def test_a_run_killed_before_it_was_there_makes_up_for_it(
        self, saver: Callable[..., Saver], storage: RunStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save_at(saver(), 10, best=True)

        def killed(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(RunStorage, "copy_file", killed)
        with pytest.raises(KeyboardInterrupt):
            save_at(saver(Writer(1, 2)), 20, best=True)
        monkeypatch.undo()
        # Without metrics, which nobody could take for those of a state that is half replaced.
        assert storage.list_files("best") == [STATE_FILE]
        saver(Writer(2, 1)).restore()
        assert self.kept(storage) == ("step-00000020-e00000a1g2", [20] * 4)


def test_other_ranks_read_only_what_they_need(storage: RunStorage, tmp_path: Path, monkeypatch: Any) -> None:
    manifest = save(storage, FIRST, ranks=4)
    read: list[str] = []
    chunks = RunStorage.chunks
    monkeypatch.setattr(RunStorage, "chunks", lambda self, name: read.append(name) or chunks(self, name))
    lockstep = Lockstep(2, 1)
    saver = Saver(storage, lockstep, Writer(1, 1), num_to_keep=1, recorded={}, notify=lambda *_: None)
    saver._fetch_own(FIRST, manifest, tmp_path)
    assert sorted(read) == [f"{FIRST}/random-2.pt", f"{FIRST}/{STATE_FILE}"]
    read.clear()
    assert Saver(storage, Lockstep(0, 1), Writer(1, 1), num_to_keep=1, recorded={}, notify=print).restore() is not None
    assert sorted(read) == sorted(f"{FIRST}/{name}" for name in [*manifest.files, "manifest.json"])  # each of them once


def test_a_checkpoint_that_appears_meanwhile_is_found(
    saver: Callable[..., Saver], storage: RunStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another still saved, and pruned what was to be read, while the folder was listed."""
    save(storage, FIRST)
    inspect = checkpoint_files.inspect

    def after_pruning(storage: RunStorage, name: str) -> Any:
        if name == FIRST:
            save(storage, SECOND)
            storage.delete(FIRST)
        return inspect(storage, name)

    monkeypatch.setattr("trainingrun_trainer.train.checkpointing.inspect", after_pruning)
    restored = saver().restore()
    assert restored is not None and restored.name == SECOND
