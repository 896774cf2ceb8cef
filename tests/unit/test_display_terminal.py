"""The live display, through a real pseudo-terminal."""

from __future__ import annotations

import fcntl
import io
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

from trainingrun.contract.records import (
    AttemptStarted,
    CheckpointSaved,
    EpochEnded,
    Notice,
    Progress,
    Record,
    WorkersRestarted,
)
from trainingrun.display import RichDisplay

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
    assert len(re.findall(r"(?m)1/2 +1\.000 .*", plain)) == 1
    assert plain.count("outcome          Complete after 1 min") == 1


def an_epoch(number: int, **more: float) -> list[Record]:
    """An epoch's checkpoint and end, as training tells them; the first and the third are the best so far."""
    step, loss = 10 * number + 10, 1 / (number + 1)
    metrics = {"loss": loss, "validation_loss": 2 * loss, "accuracy": 0.5, "validation_accuracy": 0.25, **more}
    return [
        sample(CheckpointSaved, 20 + number, epoch=number, step=step, best=number in (0, 2)),
        sample(EpochEnded, 21 + number, epoch=number, epochs=4, step=step, metrics=metrics),
    ]


def written(width: int, *records: Record) -> str:
    """What the display writes to a terminal of this width, in this process."""
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("NO_COLOR", raising=False)
        display = RichDisplay(stream)
        for record in records:
            display.emit(record)
        display.close()
    return stream.getvalue()


def table(width: int, *records: Record) -> list[str]:
    """The lines of epochs and their headings, as they stay on the screen."""
    output = ESCAPE.sub("", written(width, *records))
    before_the_summary = output.replace("\r", "").partition("\noutcome")[0]
    return re.findall(r"(?:epoch  .*|\d/4   .*)", before_the_summary)


def test_epochs_are_rows_of_a_table_with_the_best_marked():
    heading, *rows = table(120, *an_epoch(0), *an_epoch(1), *an_epoch(2))
    assert heading.split() == "epoch loss val loss accuracy val accuracy rows/s stall time checkpoint".split()
    assert [row.split()[0] for row in rows] == ["1/4", "2/4", "3/4"]
    assert [row.split()[-1] for row in rows] == ["best", "saved", "best"]
    assert len({row.index("4.0%") for row in rows}) == 1
    assert heading.index("val loss") + len("val loss") == rows[0].index("2.000") + len("2.000")
    assert "\x1b[1;32m1/4" in written(120, *an_epoch(0))


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (80, ["epoch", "loss", "val loss", "accuracy", "val accuracy", "stall", "time", "checkpoint"]),
        (60, ["epoch", "loss", "val loss", "stall", "time", "checkpoint"]),
        (20, ["epoch", "loss"]),
    ],
)
def test_on_a_narrow_terminal_whole_columns_are_left_out(width: int, columns: list[str]):
    heading, row = table(width, *an_epoch(0))
    assert re.split(r"  +", heading) == columns
    assert len(re.split(r"  +", row)) == len(columns)
    assert max(len(heading), len(row)) <= width


def test_the_heading_comes_again_after_other_lines_and_for_other_columns():
    again = table(120, *an_epoch(0), sample(WorkersRestarted), *an_epoch(1), *an_epoch(2, f1=0.5), *an_epoch(3))
    assert ["f1" if "f1" in line else line.split()[0] for line in again] == [
        *("epoch", "1/4", "epoch", "2/4", "f1", "3/4", "4/4"),
    ]
    assert again[-1].split().count("-") == 1


def test_no_line_is_broken_inside_a_word_at_80_columns():
    reason = "rank 1 on node gpu-7 was lost because its machine did not answer within the time that it has for it"
    output = ESCAPE.sub("", written(80, sample(WorkersRestarted, reason=reason), *complete_run()))
    lines = output.replace("\r", "").splitlines()
    assert "workers restarted: rank 1 on node gpu-7 was lost because its machine did not" in [
        line.strip() for line in lines
    ]
    facts = lines[next(i for i, line in enumerate(lines) if line.startswith("outcome")) :]
    assert max(map(len, facts)) <= 80
    words = " ".join(line.strip() for line in facts)
    assert "the data group keeps up and nothing needs to change." in words


def test_what_a_start_waits_for_is_named_with_its_time():
    output = ESCAPE.sub("", written(120, sample(AttemptStarted), sample(WorkersRestarted)))
    assert re.search(r"waiting for the first batch  \d\.\d s", output)
    assert re.search(r"waiting for the workers to come back  \d\.\d s", output)


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
