"""`logs` of a run whose pods are gone: what its driver has left in the run's folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_double import ApiDouble
from cluster_objects import attempt, run
from command_line import Run

from pod_exec import PodExec

LOG = "uid-of-mnist-0001-driver.log"


def ended_run(double: ApiDouble, folder: str) -> None:
    """A run that is complete, without a pod of it."""
    attempts = [attempt(0, "Failed"), attempt(1, "Complete")]
    double.put("trainingruns", run("mnist", "Complete", "Complete", attempts=attempts, outputs={"folderURI": folder}))


def leave(folder: Path) -> None:
    """What the driver of attempt 1 has left."""
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / LOG).write_text("epoch 0\nepoch 1\n")


@pytest.fixture
def claim(double: ApiDouble, tmp_path: Path) -> Path:
    double.pod_exec = PodExec(tmp_path / "claim")
    ended_run(double, "pvc://models/runs/mnist")
    leave(tmp_path / "claim" / "runs" / "mnist")
    return tmp_path / "claim"


@pytest.mark.usefixtures("claim")
def test_they_come_from_a_claim_by_a_pod_that_goes_again(cli: Run, double: ApiDouble) -> None:
    result = cli("logs", "mnist", "--group", "driver")
    assert (result.exit_code, result.stdout) == (0, "epoch 0\nepoch 1\n")
    assert len(double.named("POST", "/pods")) == 1
    assert not [key for key in double.objects if key[0] == "pods"]
    assert cli("logs", "mnist", "--group", "driver", "--tail", "1").stdout == "epoch 1\n"


@pytest.mark.usefixtures("claim")
def test_an_attempt_that_has_left_none_is_said(cli: Run) -> None:
    result = cli("logs", "mnist", "--attempt", "0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Attempt 0 of mnist (Failed) has no logs that can be read now" in result.stderr


def test_they_come_from_a_uri(cli: Run, double: ApiDouble, tmp_path: Path) -> None:
    leave(tmp_path / "runs")
    ended_run(double, f"file://{tmp_path}/runs")
    result = cli("logs", "mnist")
    assert (result.exit_code, result.stdout.splitlines()) == (0, ["driver        | epoch 0", "driver        | epoch 1"])


@pytest.mark.usefixtures("claim")
def test_no_pod_is_made_for_logs_that_are_not_kept(cli: Run, double: ApiDouble) -> None:
    assert cli("logs", "mnist", "--group", "trainer").exit_code == 1
    assert not double.named("POST", "/pods")
