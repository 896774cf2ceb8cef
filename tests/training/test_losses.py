"""Whatever is lost, training goes on from the last whole checkpoint: a worker, the driver, a damaged file."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from driving import document, folder_of, local, start

from trainingrun.contract.records import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    EpochEnded,
    Notice,
    Record,
    WorkersRestarted,
)
from trainingrun_trainer.storage import RunStorage

pytestmark = pytest.mark.timeout(600)


def slow_run(uneven: Path, storage: Path, seconds: float = 0.15, **recipe: object) -> dict:
    step = {"function": "training_hooks:slow_step", "parameters": {"seconds": seconds}}
    return document(uneven, storage, {"trainStep": step, **recipe}, storage={"checkpoints": {"everySteps": 5}})


def processes(name: str, below: int) -> list[int]:
    """Ids of the processes called `name` among the descendants of process `below`."""
    listing = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in listing.stdout.splitlines()[1:]]
    family = {below}
    for _ in rows:
        grown = family | {int(pid) for pid, parent, _ in rows if int(parent) in family}
        if grown == family:
            break
        family = grown
    return [int(pid) for pid, _, args in rows if int(pid) in family and args.startswith(name)]


def restored_copies(temporary: Path) -> set[Path]:
    """Checkpoints that workers have copied to their temporary files in order to resume from them."""
    return set(temporary.glob("trainingrun-restore-*"))


def steps_saved(records: list[Record]) -> list[int]:
    return [record.step for record in records if isinstance(record, CheckpointSaved)]


@pytest.mark.extended
def test_a_killed_worker_is_replaced_within_the_attempt(address: str, uneven: Path, tmp_path: Path) -> None:
    """Ray replaces the workers within the attempt, which continues from the checkpoint."""
    training = start(slow_run(uneven, tmp_path / "storage"), tmp_path, address, workers=2)
    training.wait_for(lambda records: 10 in steps_saved(records))
    workers = processes("ray::RayTrainWorker", os.getpid())
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    training.wait_for(lambda records: any(isinstance(r, WorkersRestarted) for r in records))

    assert training.end() == 0, training.output()
    records = training.records()
    (restart,) = [r for r in records if isinstance(r, WorkersRestarted)]
    assert "step-000000" in restart.reason
    assert [r.attempt for r in records if isinstance(r, AttemptStarted)] == [0]
    assert [r.epoch for r in records if isinstance(r, EpochEnded)] == [0, 1]


def test_damaged_checkpoint_is_skipped(address: str, temporary: Path, uneven: Path, tmp_path: Path) -> None:
    """The newest is cut short, the one before has lost a file: the third is used, with a warning for each."""
    run = slow_run(uneven, tmp_path / "storage")
    training = start(run, tmp_path, address)
    training.wait_for(lambda records: 15 in steps_saved(records))
    training.signal(signal.SIGKILL)
    training.end()
    folder = folder_of(run)
    newest, second, third = RunStorage(run["spec"]["storage"]["uri"], "test").checkpoints()[:3]
    os.truncate(folder / newest / "state.pt", 1000)
    (folder / second / "rows-0.npz").unlink()
    # As if the driver had been killed before all of it was there.
    half_written = folder / "step-00000004-e00000a0g1"
    shutil.copytree(folder / third, half_written)
    (half_written / "manifest.json").unlink()
    copies = restored_copies(temporary)

    run["spec"]["recipe"]["trainStep"]["parameters"]["seconds"] = 0.0
    training = start(run, tmp_path, address)
    assert training.end() == 0, training.output()
    records = training.records()
    resumed = [r for r in records if isinstance(r, AttemptStarted)][-1]
    assert resumed.resumed_from == third
    warnings = " ".join(r.message for r in records if isinstance(r, Notice) and r.level == "Warning")
    assert newest in warnings and second in warnings
    assert not half_written.exists()
    assert any(half_written.name in r.message for r in records if isinstance(r, Notice) and r.level == "Info")
    assert max(steps_saved(records)) == 2 * 31
    assert restored_copies(temporary) == copies


@pytest.mark.extended
def test_a_run_whose_only_checkpoint_is_torn_begins_again(address: str, uneven: Path, tmp_path: Path) -> None:
    """As if it had been killed while it uploaded: neither is it complete, nor does it fail for good."""
    run = document(uneven, tmp_path / "storage", {"epochs": 1}, storage={"checkpoints": {"numToKeep": 1}})
    assert start(run, tmp_path, address).end() == 0
    storage = RunStorage(run["spec"]["storage"]["uri"], "test")
    (torn,) = storage.checkpoints()
    (folder_of(run) / torn / "state.pt").unlink()
    # What versions of before have left there is of no interest to Ray Train either.
    snapshot = folder_of(run) / "checkpoint_manager_snapshot.json"
    snapshot.write_text(json.dumps({"checkpoint_results": [{"checkpoint_dir_name": "gone"}]}))

    training = start(run, tmp_path, address)
    assert training.end() == 0, training.output()
    records = training.records()
    assert [r.resumed_from for r in records if isinstance(r, AttemptStarted)] == [None, None]
    assert [r.epoch for r in records if isinstance(r, EpochEnded)] == [0, 0]
    (warning,) = [r.message for r in records if isinstance(r, Notice) and r.level == "Warning"]
    assert f"checkpoint {torn} is not intact (state.pt is missing)" in warning
    assert storage.checkpoints() == [torn.replace("a0g1", "a1g1")]

    training = start(run, tmp_path, address)
    assert training.end() == 0, training.output()
    assert "already trained" in training.last_word().message


def test_driver_killed_under_trainingrun_local(uneven: Path, tmp_path: Path) -> None:
    """A new attempt is started by itself, continues, and the report tells of both."""
    training = local(slow_run(uneven, tmp_path / "storage"), tmp_path)
    training.wait_for(lambda records: 10 in steps_saved(records))
    (driver,) = [
        pid
        for pid in processes(sys.executable, training.process.pid)
        if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:3] == [b"-m", b"trainingrun_trainer"]
    ]
    os.kill(driver, signal.SIGKILL)

    assert training.end() == 0, training.output()
    records = training.records()
    assert [r.outcome for r in records if isinstance(r, AttemptEnded)] == ["Infrastructure", "Complete"]
    starts = [r for r in records if isinstance(r, AttemptStarted)]
    assert [r.attempt for r in starts] == [0, 1]
    assert starts[1].first_step >= 10
    assert max(steps_saved(records)) == 2 * 31
    assert (training.folder / "report.html").stat().st_size > 10_000
    assert "Complete" in training.output()


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.extended),
        signal.SIGTERM,
        pytest.param(signal.SIGKILL, marks=pytest.mark.extended),
    ],
)
def test_local_leaves_no_process_behind(uneven: Path, tmp_path: Path, number: signal.Signals) -> None:
    training = local(slow_run(uneven, tmp_path / "storage"), tmp_path)
    training.wait_for(lambda records: 5 in steps_saved(records))
    raylets = [
        pid
        for pid in processes("", training.process.pid)
        if b"raylet" in Path(f"/proc/{pid}/cmdline").read_bytes() and pid != training.process.pid
    ]
    # The head is the first data node too.
    assert len(raylets) >= 2
    training.signal(number)

    expected = {signal.SIGINT: 10, signal.SIGTERM: 11, signal.SIGKILL: -signal.SIGKILL}
    assert training.end() == expected[number], training.output()
    deadline_passed = subprocess.run(
        ["timeout", "60", "bash", "-c", f"while kill -0 {' '.join(map(str, raylets))} 2>/dev/null; do sleep 0.2; done"],
        check=False,
    )
    assert deadline_passed.returncode == 0, "Ray's processes are still there"
