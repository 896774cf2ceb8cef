"""The end of `make demo`: it passes only for a complete run that reached the accuracy."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT

from trainingrun.contract.records import AttemptEnded, EpochEnded, Record, Stall

NO_STALL = Stall(total_percent=0.0, steady_percent=0.0)
EPOCH = EpochEnded(
    time=1.0, attempt=0, epoch=0, epochs=1, step=10, rows=100, seconds=1.0, metrics={}, stall=NO_STALL
)  # fmt: skip
END = AttemptEnded(time=2.0, attempt=0, outcome="Complete", exit_code=0, message="", seconds=2.0)


def check(folder: Path, *records: Record) -> subprocess.CompletedProcess[str]:
    if records:
        (folder / "progress").mkdir()
        lines = "".join(record.to_json() + "\n" for record in records)
        (folder / "progress" / "attempt-0000.jsonl").write_text(lines)
    command = [sys.executable, str(ROOT / "docs" / "demo" / "check.py"), str(folder), "95"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def trained(accuracy: float) -> EpochEnded:
    return dataclasses.replace(EPOCH, metrics={"loss": 0.1, "validation_accuracy": accuracy})


@pytest.mark.parametrize("accuracy", [0.95, 0.978])
def test_a_run_that_learned_passes_and_its_report_is_named(tmp_path: Path, accuracy: float) -> None:
    done = check(tmp_path, trained(accuracy), END)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"validation accuracy {100 * accuracy:.1f} %" in done.stdout
    assert f"Report: {tmp_path}/report.html\n" in done.stdout


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "progress"),
        ([trained(0.949), END], "validation accuracy is 94.9 %, expected at least 95 %"),
        ([trained(float("nan")), END], "validation accuracy is nan %, expected at least 95 %"),
        ([trained(0.99)], "is not complete: no end was recorded"),
        ([trained(0.99), dataclasses.replace(END, outcome="UserError", exit_code=13)], "is not complete: UserError"),
        ([EPOCH, END], "recorded no validation_accuracy"),
    ],
)
def test_anything_else_fails(tmp_path: Path, records: list[Record], message: str) -> None:
    done = check(tmp_path, *records)
    assert done.returncode == 1
    assert done.stderr.startswith("Demo failed: ")
    assert message in done.stderr
    assert done.stdout == ""
