"""One run of Weights & Biases per TrainingRun, by its own package: offline, where its files can be read back."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from run_samples import run_of
from tracked_attempts import record_attempt

from trainingrun.contract.exits import Exit
from trainingrun_trainer.driver.tracking import wandb_client
from trainingrun_trainer.driver.tracking.tracker import Tracker
from trainingrun_trainer.storage import RunStorage

_BLOCK = 32768


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No key and no settings of this machine's user, and no service that outlasts the test."""
    monkeypatch.setattr(Tracker, "_CLOSE_SECONDS", 120.0)
    monkeypatch.setattr(wandb_client, "_FINISH_SECONDS", 120.0)
    monkeypatch.setattr(wandb_client, "_START_SECONDS", 120.0)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("WANDB_API_KEY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    yield
    import wandb

    wandb.teardown()


def train(storage: RunStorage, attempt: int, code: Exit, *steps: int, mode: str = "Offline") -> str:
    """Record an attempt that ends with `code`; what its tracker said, empty if nothing."""
    run = run_of(
        metadata={"uid": "5f4c1f0a-7d5e", "namespace": "vision"},
        tracking={"tensorboard": False, "wandb": {"project": "digits", "mode": mode}},
    )
    return record_attempt(run, storage, attempt, code, *steps)


def records(path: Path) -> list[Any]:
    """What is in a file of an offline run."""
    from wandb.proto.wandb_internal_pb2 import Record

    return [Record.FromString(data) for data in _contents(path.read_bytes())]


def _contents(data: bytes) -> Iterator[bytes]:
    """What is in a log of LevelDB's format: records in parts, none of which goes over the end of a block."""
    assert data[:7] == b":W&B\xe1\xbe\x00"
    at, parts = 7, b""
    while at < len(data):
        if (left := _BLOCK - at % _BLOCK) < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield parts
            parts = b""


def history(found: list[Any]) -> dict[int, dict[str, float]]:
    """Values by step."""
    by_step: dict[int, dict[str, float]] = {}
    for record in found:
        if record.HasField("history"):
            row = {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in record.history.item}
            step = row.pop("step")
            by_step.setdefault(step, {}).update({name: row[name] for name in row if not name.startswith("_")})
    return by_step


def test_attempts_continue_one_run_in_the_runs_folder(tmp_path: Path) -> None:
    storage = RunStorage(str(tmp_path), "digits")
    assert train(storage, 0, Exit.INFRASTRUCTURE, 1, 2) == ""
    assert train(storage, 1, Exit.COMPLETE, 2, 3) == ""
    files = sorted(
        (tmp_path / "digits" / "wandb").glob("offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns
    )
    assert [path.name for path in files] == ["run-5f4c1f0a-7d5e.wandb"] * 2
    first, second = map(records, files)
    (run,) = (record.run for record in second if record.HasField("run"))
    assert (run.project, run.run_id, run.display_name) == ("digits", "5f4c1f0a-7d5e", "digits")
    config = {
        item.key: json.loads(item.value_json)
        for record in second
        if record.HasField("config")
        for item in record.config.update
    }
    assert (config["epochs"], config["optimizer.parameters.lr"]) == ("10", "0.001")
    assert (config["trainingrun.namespace"], config["trainingrun.image"]) == ("vision", "trainer:1")
    assert history(first).keys() == {1, 2} and history(second).keys() == {2, 3}
    assert history(second)[3] == {
        "train/loss": pytest.approx(1 / 3),
        "learning_rate": 0.1,
        "epoch/loss": 0.5,
        "validation/loss": 0.75,
    }
    ends = [[record.exit.exit_code for record in found if record.HasField("exit")] for found in (first, second)]
    assert ends == [[1], [0]]
    assert any(record.HasField("preempting") for record in first)
    assert not any(record.HasField("preempting") for record in second)


def test_an_offline_run_is_put_into_a_store() -> None:
    MemoryFileSystem.store.clear()
    assert train(RunStorage("memory://runs", "digits"), 0, Exit.COMPLETE, 1) == ""
    (path,) = (name for name in MemoryFileSystem.store if name.endswith(".wandb"))
    assert path.startswith("/runs/digits/wandb/offline-run-") and path.endswith("/run-5f4c1f0a-7d5e.wandb")


def test_a_missing_key_is_told_in_words(tmp_path: Path) -> None:
    said = train(RunStorage(str(tmp_path), "digits"), 0, Exit.COMPLETE, 1, mode="Online")
    assert "spec.tracking.wandb cannot be written: Weights & Biases refuses the credentials" in said
    assert "spec.tracking.wandb.secretRef names the Secret with WANDB_API_KEY" in said
