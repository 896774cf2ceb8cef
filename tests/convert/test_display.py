"""The progress of a conversion, on a terminal and elsewhere."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainingrun_trainer.convert import display


def test_a_terminal_is_shown_a_bar(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", "from trainingrun.cli import main; main()", "convert", "sklearn:digits", "out"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65_536):
            shown += data
    except OSError as error:
        assert error.errno == errno.EIO, "a terminal whose other side has been closed ends like this"
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert b"1797/1797" in shown


def test_anything_but_a_terminal_is_told_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with display.progress_display() as on_progress:
        on_progress(10, 6_000)
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(display, "SECONDS_BETWEEN_LINES", 0.0)
        on_progress(3_000, 6_000)
        on_progress(5_000, None)
    assert capsys.readouterr().err == "3,000 of 6,000 rows\n5,000 rows\n"
