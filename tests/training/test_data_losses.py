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
    transform = {"function": "training_hooks:slow_rows", "kind": "Batch", "parameters": parameters}
    return document(uneven, place / "storage", {"loop": loop, "transform": transform}, **spec)


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


def test_once_though_a_data_node_is_killed(uneven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With it go the rows that were read or prepared there and not trained yet."""
    monkeypatch.setenv("RAY_health_check_period_ms", "1000")  # as on a cluster
    run = slow_to_prepare(uneven, tmp_path, 0.01, data={"numNodes": 2})
    training = local(run, tmp_path, "--data-cpus", "2")
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
