"""A data worker or a whole data node is lost in the middle of an epoch: every row is trained on once all the same."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from driving import Training, document, local, seen_rows, start
from test_losses import processes

from trainingrun.contract.records import AttemptStarted, Placement, Progress, WorkersRestarted

pytestmark = pytest.mark.timeout(600)


def slow_to_prepare(uneven: Path, place: Path, seconds_per_row: float, **spec: object) -> dict:
    """Rows take longer to prepare than to train, so that data workers are busy throughout."""
    (place / "seen").mkdir(parents=True)
    loop = {"function": "training_hooks:record_rows", "parameters": {"folder": str(place / "seen")}}
    parameters = {"seconds_per_row": seconds_per_row}
    slow = {"function": "training_hooks:slow_rows", "kind": "Batch", "parameters": parameters}
    transforms = [slow, {"function": "trainingrun_trainer.vision:normalize", "kind": "Batch"}]
    return document(uneven, place / "storage", {"loop": loop, "transforms": transforms}, **spec)


def in_the_middle_of_an_epoch(training: Training) -> None:
    """Of the second one: the first is made while the trainers start."""
    training.wait_for(lambda records: any(isinstance(r, Progress) and 34 <= r.step <= 50 for r in records))


def check_each_row_once(training: Training, folder: Path) -> None:
    assert training.end() == 0, training.output()
    for epoch in (0, 1):
        assert sorted(seen_rows(folder, epoch)) == list(range(2001))
    records = training.records()
    assert [r.attempt for r in records if isinstance(r, AttemptStarted)] == [0]
    assert not [r for r in records if isinstance(r, WorkersRestarted)], "training itself has lost nothing"


def test_once_though_data_workers_are_killed(address: str, uneven: Path, tmp_path: Path) -> None:
    # While there is no worker nothing is prepared, so that the second one that is killed is never too late.
    training = start(slow_to_prepare(uneven, tmp_path, 0.005), tmp_path, address, workers=2)
    in_the_middle_of_an_epoch(training)
    for _ in range(2):
        (worker,) = processes("ray::DataWorker", os.getpid())
        os.kill(worker, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while worker in (there := processes("ray::DataWorker", os.getpid())) or not there:
            assert time.monotonic() < deadline, "no other data worker has come"
            time.sleep(0.1)
    check_each_row_once(training, tmp_path / "seen")


def test_once_though_a_data_node_is_killed_and_the_summary_tells_where_things_ran(
    uneven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the node go the rows that were read or prepared there and not trained yet."""
    monkeypatch.setenv("RAY_health_check_period_ms", "1000")  # as on a cluster
    run = slow_to_prepare(uneven, tmp_path, 0.01, data={"numNodes": 2}, trainer={"numNodes": 2}, suspend=False)
    del run["spec"]["storage"]["uri"]
    run["spec"]["storage"]["persistentVolumeClaim"] = {"claimName": "data", "mountPath": "/mnt/does-not-exist"}
    place, volume = tmp_path / "place", tmp_path / "volume"
    training = local(run, place, "--volume", str(volume), "--trainers", "2", "--data-cpus", "2")
    training.folder = volume / "test"
    in_the_middle_of_an_epoch(training)
    (raylet,) = [
        pid
        for pid in processes("", training.process.pid)
        if (words := Path(f"/proc/{pid}/cmdline").read_bytes()).split(b"\0")[0].endswith(b"raylet/raylet")
        and b"data-1" in words
    ]
    os.kill(raylet, signal.SIGKILL)
    check_each_row_once(training, tmp_path / "seen")
    (placement,) = [record for record in training.records() if isinstance(record, Placement)]
    assert sum(placement.data_rows.values()) == 2 * 2001
    assert len(placement.data_rows) == 2
    output = training.log.read_text()
    assert "2 trainers with 1 CPU each" in output
    assert "not applied on one machine: image, suspend" in output
    assert "data ran on      data-0, data-1" in output
    assert "training ran on  trainer-0, trainer-1" in output
    assert (training.folder / "report.html").is_file()
