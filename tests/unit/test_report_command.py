"""`trainingrun report` as a process: one path on standard output, or one sentence and exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from record_samples import complete_run, write_run


def report(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    script = "from trainingrun.cli.report import command; command()"
    return subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True)


def test_it_writes_the_report_and_prints_its_path(tmp_path: Path):
    result = report(write_run(tmp_path, complete_run()))
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{tmp_path / 'report.html'}\n", "")
    assert "digits" in (tmp_path / "report.html").read_text()


def test_it_writes_where_it_is_told(tmp_path: Path):
    write_run(tmp_path / "run", complete_run())
    (tmp_path / "page.html").write_text("an older report")
    result = report(tmp_path / "run", "--output", tmp_path / "page.html")
    assert (result.returncode, result.stdout) == (0, f"{tmp_path / 'page.html'}\n")
    assert "digits" in (tmp_path / "page.html").read_text()
    assert not (tmp_path / "run" / "report.html").exists()


def test_several_runs_are_compared(tmp_path: Path):
    folders = [write_run(tmp_path / name, complete_run()) for name in ("a", "b")]
    result = report(*folders, "--output", tmp_path / "both.html")
    assert (result.returncode, result.stdout) == (0, f"{tmp_path / 'both.html'}\n")
    assert "2 runs compared" in (tmp_path / "both.html").read_text()
    refused = report(*folders * 5)
    assert (refused.returncode, "compare at most 8" in refused.stderr) == (2, True)


@pytest.mark.parametrize("name", ["", "missing"])
def test_a_folder_without_records_is_one_sentence(tmp_path: Path, name: str):
    result = report(tmp_path / name)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {tmp_path / name}: found no progress records, expected at least one")
    assert result.stderr.count("\n") == 1


def test_a_folder_of_several_runs_is_told_with_them(tmp_path: Path):
    write_run(tmp_path / "digits", complete_run())
    (tmp_path / "datasets").mkdir()
    result = report(tmp_path)
    assert result.returncode == 2
    assert result.stderr.endswith(f"; name the run's own folder: {tmp_path / 'digits'}\n")


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path):
    result = report(write_run(tmp_path, complete_run()), "--output", tmp_path / "missing" / "page.html")
    assert (result.returncode, result.stdout) == (2, "")
    target = tmp_path / "missing" / "page.html"
    reason = "No such file or directory"
    assert result.stderr == f"Error: {target}: the report cannot be read or written: {reason}\n"
