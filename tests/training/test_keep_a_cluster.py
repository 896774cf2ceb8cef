"""`trainingrun local --keep` with a real Ray: the next run starts there and trains the same, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from driving import Training, document, local

from trainingrun.contract.records import EpochEnded

pytestmark = [pytest.mark.timeout(300), pytest.mark.extended]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where temporary files of the runs are; a short name, since a socket's has few characters."""
    return tmp_path_factory.mktemp("k")


def test_a_kept_cluster_is_used_and_leaves_nothing(uneven: Path, tmp_path: Path, folder: Path) -> None:
    first = _train("first", uneven, tmp_path, folder)
    assert "for 5 minutes, a cluster is kept for the next run that fits it" in first.output()
    keeper = _keeper(folder)
    second = _train("second", uneven, tmp_path, folder)
    assert "the kept cluster is used" in second.output()
    assert _losses(first) and _losses(first) == _losses(second)
    assert _kinds(first) == _kinds(second)

    assert _keeper(folder) == keeper
    _wait_until_warm(keeper, folder)
    all_of_it = _below(keeper)
    stopped = _stop(folder)
    assert (stopped.returncode, stopped.stdout) == (0, "the kept cluster has ended\n")
    assert _left_of(all_of_it) == {}
    assert _stop(folder).returncode == 1


def test_nothing_outlives_a_keeper_that_is_killed(uneven: Path, tmp_path: Path, folder: Path) -> None:
    _train("first", uneven, tmp_path, folder)
    keeper = _keeper(folder)
    _wait_until_warm(keeper, folder)
    all_of_it = _below(keeper)
    os.kill(keeper, signal.SIGKILL)
    # Ray's agents first try for a minute to tell its head, which is gone.
    deadline = time.monotonic() + 120
    while (left := _left_of(all_of_it)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == {}
    assert _stop(folder).returncode == 1


def _train(name: str, rows: Path, place: Path, folder: Path) -> Training:
    run = document(rows, place, {"epochs": 1})
    run["metadata"]["name"] = name
    training = local(run, place, "--keep", "5", TMPDIR=str(folder))
    assert training.end() == 0, training.output()
    training.log = training.log.rename(place / f"{name}.log")
    return training


def _losses(training: Training) -> list[dict[str, float]]:
    return [record.metrics for record in training.records() if isinstance(record, EpochEnded)]


def _kinds(training: Training) -> list[str]:
    """What kinds of records there are, without those that come by the clock."""
    return [record.kind for record in training.records() if record.kind != "Progress"]


def _stop(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "trainingrun"), "local", "--stop"]
    return subprocess.run(command, env={**os.environ, "TMPDIR": str(folder)}, capture_output=True, text=True)


def _keeper(folder: Path) -> int:
    return int(json.loads((folder / f"trainingrun-{os.getuid()}/kept.json").read_text())["keeper"])


def _wait_until_warm(keeper: int, folder: Path) -> None:
    """Until there are Ray's nodes, their agents, and workers that wait."""
    deadline = time.monotonic() + 60
    while sum("ray::IDLE" in command for command in _below(keeper).values()) < 5:
        assert time.monotonic() < deadline, (folder / f"trainingrun-{os.getuid()}/keeper.log").read_text()
        time.sleep(0.2)


def _below(pid: int) -> dict[tuple[int, str], str]:
    """A process and all below it: their command lines, by process id and time of start."""
    living = _living()
    found, waiting = {pid}, [pid]
    while waiting:
        parent = waiting.pop()
        children = [child for child, (its_parent, _) in living.items() if its_parent == parent]
        found.update(children)
        waiting += children
    return {(each, living[each][1]): _command(each) for each in found if each in living}


def _left_of(processes: dict[tuple[int, str], str]) -> dict[tuple[int, str], str]:
    living = {(pid, began) for pid, (_, began) in _living().items()}
    return {each: command for each, command in processes.items() if each in living}


def _living() -> dict[int, tuple[int, str]]:
    """Parent and time of start of each process that has not ended, by its id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            found[int(process.name)] = (int(fields[1]), fields[19])
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""
