"""The report is one correct HTML page that loads nothing, whatever the records hold."""

from __future__ import annotations

import hashlib
import json
import math
import re
from importlib.resources import files
from pathlib import Path

import pytest
from html_page import Page, assert_loads_nothing
from hypothesis import given, settings
from hypothesis import strategies as st
from record_samples import SAMPLES, complete_run, resumed_run, sample, write_run

from trainingrun.contract.records import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    DataGroup,
    EpochEnded,
    Notice,
    Placement,
    Progress,
    Record,
    Stall,
    WorkersRestarted,
)
from trainingrun.history import NoRecords
from trainingrun.report import build_report, write_report

HOSTILE = "</title></style><script>alert(1)</script><b onclick='x'>\"&{{ 7*7 }}{% raw %}\x1b[31m"


EXTREMES: dict[str, list[Record]] = {
    "complete": complete_run(),
    "resumed": resumed_run(),
    "only a start": [sample(AttemptStarted)],
    "only a notice": [sample(Notice, attempt=7)],
    "one point": [sample(AttemptStarted), sample(Progress, 1)],
    "no epochs": [sample(AttemptStarted, epochs=0)],
    "not finite": [
        sample(
            Progress,
            step,
            step=step,
            metrics={"loss": value, "x": -value},
            rows_per_second=value,
            percent=value,
            eta_seconds=value,
            goodput_percent=value,
            stall=Stall(total_percent=value, steady_percent=value, causes={"Production": value}),
        )
        for step, value in enumerate([math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324], 1)
    ],
    "time stands still": [sample(Progress, 0, step=step) for step in range(5)],
    "time runs backwards": [sample(Progress, -step, step=step) for step in range(5)],
    "time is absurd": [sample(Progress, 1e18), sample(AttemptEnded, 1e300, seconds=1e300)],
    "huge integers": [
        sample(Progress, 1, step=10**30, rows=10**400),
        sample(EpochEnded, 2, step=10**31, rows=10**400),
    ],
    "no time in an epoch": [sample(EpochEnded, 1, seconds=0.0)],
    "many metrics": [sample(Progress, 1, metrics={f"metric_{n}": float(n) for n in range(40)})],
    "attempts out of order": [
        sample(Progress, 1, 5),
        sample(Progress, 2, 2, step=3),
        sample(AttemptEnded, 3, 9),
    ],
}


@pytest.mark.parametrize("records", EXTREMES.values(), ids=EXTREMES.keys())
def test_every_run_has_a_whole_page_that_loads_nothing(records: list[Record]):
    html = build_report(records)
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert page.tags["h1"] == 1
    assert_loads_nothing(html, page)
    assert not re.search(r'd="[^"]*(nan|inf)', html, re.IGNORECASE)


def test_the_same_records_make_the_same_page():
    assert build_report(resumed_run()) == build_report(resumed_run())


def test_a_complete_run_tells_its_result():
    text = Page(build_report(complete_run())).text
    for words in (
        "digits",
        "Complete",
        "2 of 2 epochs in 1 min, with 1 attempt",
        "0.7500",
        "1 k rows/s",
        "95.0%",
    ):
        assert words in text
    assert "What to do next" not in text
    assert "No loss" not in text


def test_bad_rows_and_what_the_cache_had_are_in_the_report_where_they_are_known():
    data = DataGroup(wanted_nodes=1, reason="Enough.", cache="Partial")
    text = Page(build_report([*complete_run()[:2], sample(Progress, 3, bad_rows=1_234, data=data)])).text
    for words in ("Cache", "Partial", "Bad rows", "1,234"):
        assert words in text
    assert "Bad rows" not in Page(build_report(complete_run())).text


def test_a_failed_run_says_what_to_do():
    text = Page(build_report([sample(AttemptEnded, outcome="UserError", message="CUDA error\n  at train.py:4")])).text
    assert "CUDA error\n  at train.py:4" in text
    assert "What to do next" in text


def test_what_is_unknown_is_not_zero():
    text = Page(build_report([sample(Notice)])).text
    for words in (
        "Run without a name",
        "No end recorded",
        "Epochs unknown",
        "The nodes are unknown",
    ):
        assert words in text
    assert "0.0%" not in text and "0 rows/s" not in text


def test_hostile_text_stays_text():
    hostile: list[Record] = []
    for kind, fields in SAMPLES.items():
        changed = {name: HOSTILE for name, value in fields.items() if isinstance(value, str)}
        hostile.append(sample(kind, 1, **changed))
    hostile += [
        sample(
            AttemptStarted,
            run=HOSTILE,
            resumed_from=HOSTILE,
            versions={HOSTILE: HOSTILE},
            configuration={HOSTILE: [HOSTILE]},
        ),
        sample(
            Progress,
            2,
            metrics={HOSTILE: 1.0},
            stall=Stall(total_percent=9, steady_percent=9, causes={HOSTILE: 9}),
        ),
        sample(EpochEnded, 3, metrics={HOSTILE: 1.0, f"validation_{HOSTILE}": 1.0}),
        sample(Placement, 4, data_rows={HOSTILE: 1}, trainer_ranks={HOSTILE: [0]}),
        sample(CheckpointSaved, 5, path=HOSTILE, best=True),
        sample(WorkersRestarted, 6, reason=HOSTILE),
        sample(AttemptEnded, 7, outcome=HOSTILE, message=HOSTILE),
    ]
    html = build_report(hostile)
    assert_loads_nothing(html, page := Page(html))
    assert not re.search(r"<script>alert|<b onclick", html)
    assert "\x1b" not in html
    assert "49" not in page.texts["h1"][0]
    assert "{{ 7*7 }}" in page.texts["h1"][0]


@settings(max_examples=30, deadline=None)
@given(st.text(), st.text(), st.floats())
def test_any_text_and_number_makes_a_page(name: str, message: str, value: float):
    html = build_report(
        [
            sample(AttemptStarted, run=name, versions={message: name}, configuration={name: message}),
            sample(Progress, 1, metrics={name: value}),
            sample(AttemptEnded, 2, outcome=name, message=message),
        ]
    )
    html.encode("utf-8")
    Page(html)


def test_the_library_in_the_page_is_the_one_that_was_checked():
    """uPlot 1.6.32, as the npm registry has it: `dist` of the package and its licence."""
    folder = files("trainingrun.report") / "templates" / "uplot"
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    assert digests == {
        "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
        "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
        "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    }
    assert "Copyright (c) 2022 Leon Sorokin" in build_report(complete_run())


def test_the_script_has_the_curves_as_numbers():
    charts = json.loads(Page(build_report(resumed_run())).scripts[0])
    loss = charts["metric-0"]
    train, validation = loss["curves"]
    assert (train["label"], train["step"][-1], train["y"][-1]) == ("training", 40, 1)
    assert (validation["step"], validation["epoch"], validation["y"]) == ([20, 40], [1, 2], [1.1, 1.1])
    assert [mark["label"] for mark in loss["marks"]] == ["restart", "restart", "best checkpoint"]
    assert all(len(train[axis]) == len(train["y"]) for axis in ("step", "epoch", "time"))


def test_of_many_points_the_script_has_the_peaks():
    losses = [1.0] * 5000
    losses[1234], losses[4321] = 99.0, math.nan
    records = [sample(Progress, n, step=n, metrics={"loss": loss}) for n, loss in enumerate(losses, 1)]
    curve = json.loads(Page(build_report(records)).scripts[0])["metric-0"]["curves"][0]
    assert len(curve["y"]) < 1000
    assert curve["y"][curve["step"].index(1235)] == 99
    assert curve["y"][curve["step"].index(4322)] is None


def test_charts_have_words_for_those_who_cannot_see_them():
    page = Page(build_report(complete_run()))
    charts = page.values("preserveaspectratio")
    assert len(charts) == page.tags["desc"] == 6
    labelled = " ".join(
        value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-labelledby")
    ).split()
    assert set(labelled) <= set(page.values("id"))
    assert len(page.values("id")) == len(set(page.values("id")))
    assert page.tags["table"] >= 8


def test_ten_thousand_steps_make_a_small_page():
    records = [sample(Progress, step, step=step, metrics={"loss": 1 / step}) for step in range(1, 10_001)]
    assert len(build_report(records)) < 200_000


def test_secrets_are_hidden():
    configuration = {
        "env": [{"name": "WANDB_API_KEY", "value": "hunter2"}, {"name": "OMP_NUM_THREADS", "value": "4"}],
        "storage": {"uri": "s3://me:hunter2@host/runs", "secretRef": {"name": "storage-login"}},
        "parameters": {"auth_token": "hunter2"},
    }
    html = build_report([sample(AttemptStarted, configuration=configuration)])
    assert "hunter2" not in html
    assert "OMP_NUM_THREADS" in html and "storage-login" in html and "host/runs" in html


def test_versions_that_changed_are_told():
    records = [
        sample(AttemptStarted, versions={"torch": "2.13.0"}),
        sample(AttemptStarted, 10, 2, versions={"torch": "2.14.0"}),
    ]
    assert "2.13.0 until attempt 0" in Page(build_report(records)).text


def test_placement_says_whether_a_node_did_both():
    assert "no node did both" in build_report([sample(Placement)])
    shared = sample(Placement, data_rows={"laptop": 5}, trainer_ranks={"laptop": [0, 1, 2, 5]})
    text = Page(build_report([shared])).text
    assert "1 node did both: laptop" in text
    assert "0 to 2, 5" in text


def test_the_report_is_written_into_the_folder(tmp_path: Path):
    directory = write_run(tmp_path, complete_run(), torn='{"kind":')
    assert write_report(directory) == directory / "report.html"
    assert (directory / "report.html").read_text() == build_report(complete_run())
    assert sorted(path.name for path in directory.iterdir()) == ["progress", "report.html"]


def test_a_folder_without_records_gets_no_report(tmp_path: Path):
    with pytest.raises(NoRecords):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_model_is_loaded_by_the_lines_that_the_page_shows():
    model = {"function": "my.nets:Net", "parameters": {"classes": 3, "name": "a"}}
    started = sample(AttemptStarted, configuration={"spec": {"recipe": {"model": model}}})
    text = Page(build_report([started, *complete_run()[1:]])).text
    assert "from my.nets import Net\n\nmodel = Net(classes=3, name='a')" in text
    assert 'torch.load("best/state.pt", map_location="cpu")' in text
    script_of_ones_own = sample(AttemptStarted, configuration={"spec": {"trainer": {"command": ["python"]}}})
    assert "torch.load" not in build_report([script_of_ones_own, *complete_run()[1:]])
