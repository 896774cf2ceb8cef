"""The live display, through a real pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping

import pytest
from record_samples import complete_run, sample
from test_display_plain import SHOW

from trainingrun.contract.records import Notice, Progress, Record, WorkersRestarted

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def screen(records: list[Record], width: int = 120, **environment: str) -> str:
    """Everything that the display writes to a terminal of `width` columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
    lines = "".join(record.to_json() + "\n" for record in records)
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW, "terminal"],
        stdin=subprocess.PIPE,
        stdout=follower,
        stderr=follower,
        env={**_without_a_size(os.environ), "TERM": "xterm-256color", **environment},
    )
    os.close(follower)
    assert process.stdin
    process.stdin.write(lines.encode())
    process.stdin.close()
    output = b""
    try:
        while part := os.read(leader, 65536):
            output += part
    except OSError:
        pass  # Linux reports the end of a terminal as an error.
    os.close(leader)
    assert process.wait(timeout=30) == 0, output
    return output.decode()


def _without_a_size(environment: Mapping[str, str]) -> dict[str, str]:
    """What starts the tests may export that of its own terminal."""
    return {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}


def test_progress_is_live_and_epochs_stay():
    output = screen(complete_run())
    plain = ESCAPE.sub("", output)
    assert re.search(r"epoch 2/2  [━╸╺]+  2\.5%  step 40/40", plain)
    assert (
        "loss 2.000" in plain and "1.2 k rows/s" in plain and "data stall 4.0%" in plain and "ETA 1 min 30 s" in plain
    )
    assert plain.count("epoch 1/2 done: loss 1.000") == 1
    assert plain.count("outcome          Complete after 1 min") == 1


def test_the_cursor_comes_back():
    output = screen(complete_run())
    assert output.count("\x1b[?25l") == output.count("\x1b[?25h") == 1
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_live_line_fits_the_terminal(width: int):
    output = screen([sample(Progress, metrics={"loss": 1.0})], width)
    live = [line for line in re.split(r"[\r\n]+", ESCAPE.sub("", output)) if line.startswith("epoch 1/2")]
    assert live
    assert all(len(line) <= width for line in live)


def test_a_notice_is_dim_below_the_progress():
    output = screen([sample(Progress), sample(Notice, level="Info", message="reading [bold]files[/bold]")])
    assert re.search(r"\x1b\[2minfo: reading \[bold\]files\[/bold\]", output)


def test_a_warning_stays():
    output = ESCAPE.sub("", screen([sample(Notice, level="Warning"), sample(Progress), sample(WorkersRestarted)]))
    assert "warning: the disk is nearly full" in output
    assert "workers restarted: rank 1 died" in output


def test_a_message_cannot_drive_the_terminal():
    assert "\x1b]0;" not in screen([sample(Notice, level="Warning", message="\x1b]0;owned\x07")])


def test_a_terminal_without_abilities_gets_plain_lines():
    assert "\x1b" not in screen(complete_run(), TERM="dumb")
