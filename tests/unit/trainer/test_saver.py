"""What a rank saves and goes on from: whole checkpoints only, and nothing else for as long as the store is away."""

from __future__ import annotations

import collections
import dataclasses
import errno
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_samples import POSITION, STATE, consumed_by, get, put, rewrite, save, save_as_before

from trainingrun.contract.exits import Exit
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import InvalidConfiguration, StorageUnavailable
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train import checkpoint_files
from trainingrun_trainer.train.checkpoint_book import Writer
from trainingrun_trainer.train.checkpoint_files import STATE_FILE, Position, TornCheckpoint
from trainingrun_trainer.train.checkpointing import Saver
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.sharded_state import refuse_sharded

CPU = torch.device("cpu")
FIRST_WRITER = Writer(attempt=1, generation=1)
FIRST, SECOND = "step-00000010-e00000a0g1", "step-00000020-e00000a0g1"


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
    def make(writer: Writer = FIRST_WRITER, num_to_keep: int = 3) -> Saver:
        return Saver(
            storage,
            Lockstep(0, 1),
            writer,
            num_to_keep=num_to_keep,
            recorded={},
            notify=lambda level, message: told.append((level, message)),
        )

    return make


def save_at(saver: Saver, step: int, *, best: bool = False, loss: float = 0.5) -> dict[str, Any]:
    state = {"model": torch.full((4,), step)}
    return saver.save(state, Position(step=step, epoch_step=step), consumed_by(0), {"loss": loss}, best=best)


def damage(storage: RunStorage, name: str) -> None:
    content = get(storage, f"{name}/{STATE_FILE}")
    put(storage, f"{name}/{STATE_FILE}", content[:-1] + bytes([content[-1] ^ 1]))


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
        assert storage.list_files("best") == ["metrics.json", STATE_FILE]

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
        assert self.kept(storage) == ("step-00000010-e00000a1g1", [10] * 4)
        saver(Writer(2, 1)).restore()
        assert self.kept(storage) == ("step-00000020-e00000a1g2", [20] * 4)


class TestCopies:
    def test_a_copy_is_deleted_with_the_next_checkpoint(self, saver: Callable[..., Saver], temporary: Path) -> None:
        save_at(saver(), 10)
        begun = saver(Writer(2, 1))
        restored = begun.restore()
        assert restored is not None
        assert [path.name for path in temporary.iterdir()] == [restored.directory.parent.name]
        save_at(begun, 20)
        assert list(temporary.iterdir()) == []

    def test_what_a_killed_process_has_left_is_cleared_by_the_next(
        self, saver: Callable[..., Saver], storage: RunStorage, temporary: Path
    ) -> None:
        save_at(saver(), 10)
        code = (
            "import os, sys, tempfile\n"
            "from trainingrun_trainer.storage import RunStorage\n"
            "from trainingrun_trainer.train.checkpoint_book import Writer\n"
            "from trainingrun_trainer.train.checkpointing import Saver\n"
            "from trainingrun_trainer.train.lockstep import Lockstep\n"
            "for name in sys.argv[2:]:\n"
            "    writer = Writer(2, 1)\n"
            "    saver = Saver(RunStorage(sys.argv[1], name), Lockstep(0, 1), writer, num_to_keep=1, recorded={},\n"
            "                  notify=print)\n"
            "    saver.restore()\n"
            "    tempfile.mkdtemp(prefix='of-others-')\n"
            "    globals()[name] = saver\n"
            "os.kill(os.getpid(), 9)\n"
        )
        other = RunStorage(storage.root, "other")
        save(other, FIRST)
        command = [sys.executable, "-c", code, storage.root, "digits", "other"]
        environment = {**os.environ, "TMPDIR": str(temporary)}
        assert subprocess.run(command, env=environment, check=False).returncode == -9
        left = {path.name for path in temporary.iterdir()}
        assert len(left) == 4
        begun = saver(Writer(3, 1))
        assert begun.restore() is not None
        now = {path.name for path in temporary.iterdir()}
        assert len(now) == 4 and len(left - now) == 1

    def test_a_process_that_ends_leaves_none(self, saver: Callable[..., Saver], temporary: Path) -> None:
        save_at(saver(), 10)
        begun = saver(Writer(2, 1))
        assert begun.restore() is not None
        del begun
        assert list(temporary.iterdir()) == []


@dataclasses.dataclass
class Holder:
    inner: Any


class ShardedTensor:
    """By its name and module, as torch's is."""


ShardedTensor.__module__ = "torch.distributed._shard.sharded_tensor.api"


@pytest.fixture(scope="module")
def sharded() -> Iterator[Any]:
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield distribute_tensor(torch.ones(4), init_device_mesh("cpu", (1,)), [Shard(0)])
    dist.destroy_process_group()


class TestShardedState:
    @pytest.mark.parametrize(
        ("wrap", "place"),
        [
            (lambda value: {"model": {"layer.weight": value}}, "state['model']['layer.weight']"),
            (
                lambda value: {"optimizer": {"state": {3: {"exp_avg": value}}}},
                "state['optimizer']['state'][3]['exp_avg']",
            ),
            (lambda value: {"mine": [1, ("x", value)]}, "state['mine'][1][1]"),
            (lambda value: {"mine": Holder(value)}, "state['mine'].inner"),
            (lambda value: {"mine": collections.OrderedDict(a=value)}, "state['mine']['a']"),
        ],
    )
    def test_it_is_refused_wherever_it_is(
        self, sharded: Any, saver: Callable[..., Saver], storage: RunStorage, wrap: Any, place: str
    ) -> None:
        for value, kind in ((sharded, "DTensor"), (ShardedTensor(), "ShardedTensor")):
            with pytest.raises(InvalidConfiguration) as raised:
                saver().save(wrap(value), POSITION, consumed_by(0), {}, best=False)
            assert f"session.save got {place}, a {kind}, of which each process has only a part" in str(raised.value)
        assert storage.checkpoints() == []

    def test_whole_states_of_any_shape_are_not(self) -> None:
        model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
        loop: dict[str, Any] = {"model": model, "state": model.state_dict(), "none": None, "rate": 0.1}
        loop["itself"] = loop
        refuse_sharded({**loop, "optimizer": torch.optim.Adam(model.parameters()).state_dict()})


def test_a_rank_that_reads_something_else_than_rank_0_has_seen_is_an_outage(
    saver: Callable[..., Saver], storage: RunStorage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    manifest = save(storage, FIRST)

    def torn(*_: Any) -> None:
        raise TornCheckpoint("state.pt does not match its digest")

    monkeypatch.setattr("trainingrun_trainer.train.checkpointing.fetch", torn)
    with pytest.raises(StorageUnavailable):
        saver()._fetch_own(FIRST, manifest, tmp_path)


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
