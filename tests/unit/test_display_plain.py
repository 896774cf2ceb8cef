"""Plain lines, JSON lines and the summary, through real pipes."""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from record_samples import SAMPLES, complete_run, resumed_run, sample

from trainingrun.contract.records import (
    AttemptEnded,
    AttemptStarted,
    DataGroup,
    EpochEnded,
    Notice,
    Placement,
    Progress,
    Record,
    Stall,
    WorkersRestarted,
    parse_line,
)
from trainingrun.display import JsonDisplay, PlainDisplay, Sink, display_for, summary_lines

SHOW = """
import sys
from trainingrun.display import display_for
from trainingrun.contract.records import parse_line
display = display_for(sys.stdout, json=sys.argv[1] == "json")
for line in sys.stdin:
    display.emit(parse_line(line))
display.close()
"""


def shown(records: list[Record], kind: str = "plain", **environment: str) -> subprocess.CompletedProcess[str]:
    lines = "".join(record.to_json() + "\n" for record in records)
    return subprocess.run(
        [sys.executable, "-c", SHOW, kind],
        input=lines,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def plain(records: list[Record], close: bool = False) -> str:
    stream = io.StringIO()
    display: Sink = PlainDisplay(stream)
    for record in records:
        display.emit(record)
    if close:
        display.close()
        display.close()
    return stream.getvalue()


def test_a_pipe_gets_plain_lines_and_a_summary():
    result = shown(complete_run())
    assert (result.returncode, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout and "\r" not in result.stdout
    assert "2026-02-25 06:13:20 UTC  attempt 0 of digits starts from the beginning" in result.stdout
    assert "epoch 1/2 done: loss 1.000, validation loss 1.100, validation accuracy 0.5000" in result.stdout
    assert "checkpoint at step 20: s3://runs/digits/checkpoint_000020 (128 MiB in 1.5 s, best so far)" in result.stdout
    assert result.stdout.count("\noutcome ") == 1


def test_json_lines_are_the_records_and_nothing_else():
    records = [*resumed_run(), sample(Progress, metrics={"loss": math.inf})]
    result = shown(records, "json")
    assert [parse_line(line) for line in result.stdout.splitlines()] == records


def test_steps_are_shown_at_most_every_ten_seconds_of_the_run():
    records = [sample(Progress, at / 10, step=at) for at in range(1000)]
    assert plain(records).count("\n") == 10


def test_each_kind_has_a_line():
    for kind in SAMPLES:
        assert plain([sample(kind)]).count("\n") == 1, kind


def test_the_same_nodes_are_named_once():
    placements = [sample(Placement, at, data_rows={"cpu-0": at + 1}) for at in range(5)]
    assert plain([*placements, sample(Placement, 6, data_rows={"cpu-1": 1})]).count("\n") == 2


def test_unknown_is_not_zero():
    line = plain([sample(Progress, eta_seconds=None, rows_per_second=math.nan, total_steps=None)])
    assert "unknown" in line and "ETA unknown" in line and "0 rows/s" not in line
    assert "step 1," in line


def test_bad_rows_and_what_the_cache_had_are_told_where_there_is_something_to_tell():
    data = DataGroup(wanted_nodes=1, reason="Enough.", cache="Partial")
    told = sample(Progress, bad_rows=1_234, data=data)
    assert "1,234 bad rows left out" in plain([told])
    assert "bad row" not in plain([sample(Progress, bad_rows=0)]) + plain([sample(Progress)])
    summary = facts([sample(AttemptStarted), told])
    assert (summary["cache"], summary["bad rows"]) == ("Partial", "1,234 left out")
    assert facts([sample(AttemptStarted), sample(Progress, bad_rows=0)])["bad rows"] == "0 left out"
    assert not {"cache", "bad rows"} & facts([sample(AttemptStarted), sample(Progress)]).keys()


def test_the_last_epoch_is_not_passed():
    assert "epoch 2/2" in plain([sample(Progress, epoch=2, epochs=2, percent=100.0)])


def test_a_message_stays_on_one_line_and_drives_no_terminal():
    output = plain([sample(Notice, message="a\nb\x1b[2J\x07")])
    assert output.endswith("warning: a b [2J\n")


def test_letters_that_the_stream_lacks_are_escaped():
    result = shown([sample(Notice, message="größe 数")], PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert r"gr\xf6\xdfe \u6570" in result.stdout


@pytest.mark.parametrize("kind", ["plain", "json"])
def test_a_reader_that_leaves_does_not_end_the_run(kind: str):
    lines = "".join(sample(Notice, at).to_json() + "\n" for at in range(5000))
    with subprocess.Popen(
        [sys.executable, "-c", SHOW + "print('still training', file=sys.stderr)", kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdout.close()
        process.stdin.write(lines)
        process.stdin.close()
        assert process.stderr.read() == "still training\n"
    assert process.returncode == 0


def test_the_factory_chooses_by_the_stream():
    assert isinstance(display_for(io.StringIO()), PlainDisplay)
    assert isinstance(display_for(io.StringIO(), json=True), JsonDisplay)


def facts(records: list[Record], report: Path | None = None) -> dict[str, str]:
    lines = summary_lines(records, report)
    return {line[:17].strip(): line[17:] for line in lines if line[:17].strip()}


def test_the_summary_of_a_resumed_run():
    summary = facts(resumed_run(), Path("runs/digits/report.html"))
    assert summary == {
        "outcome": "Complete after 2 min 32 s",
        "epochs": "2 of 2",
        "final metrics": "loss 1.000, validation loss 1.100, validation accuracy 0.5000",
        "throughput": "1 k rows/s",
        "data stall": "4.0% total, 2.0% steady, main cause Production",
        "goodput": "95.0%",
        "attempts": "2, 1 worker restart, 25 steps repeated",
        "data ran on": "unknown",
        "training ran on": "unknown",
        "best checkpoint": "s3://runs/digits/checkpoint_000020 (epoch 1, step 20, 128 MiB)",
        "last checkpoint": "s3://runs/digits/checkpoint_000020 (epoch 1, step 20, 128 MiB)",
        "report": "runs/digits/report.html",
    }


def test_the_summary_of_a_failed_run_says_what_to_do():
    summary = facts([sample(AttemptStarted), sample(AttemptEnded, 5, outcome="UserError", exit_code=1, message="a\nb")])
    assert summary["outcome"] == "UserError after 5.0 s (exit code 1): a b"
    assert "starts from the beginning" in summary["next"]
    assert summary["final metrics"] == summary["throughput"] == summary["data stall"] == summary["goodput"] == "unknown"
    assert summary["best checkpoint"] == "none marked as best"


def test_the_summary_of_a_starved_run_says_what_to_change():
    stall = Stall(total_percent=80.0, steady_percent=79.0, causes={"Production": 80.0})
    lines = summary_lines([sample(EpochEnded, stall=stall), sample(WorkersRestarted)])
    assert any("spec.data.numNodes" in line for line in lines)


def test_the_display_sums_up_what_the_records_do():
    for records in (complete_run(), resumed_run()):
        assert plain(records, close=True).endswith("\n".join(["", *summary_lines(records)]) + "\n")


def test_without_records_there_is_no_summary():
    assert summary_lines([]) == []
    assert plain([], close=True) == ""
