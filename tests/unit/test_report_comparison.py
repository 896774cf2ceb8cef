"""The page that compares runs says what was set differently, and draws their curves in one."""

from __future__ import annotations

import json
from typing import Any

from html_page import Page, assert_loads_nothing
from record_samples import complete_run, resumed_run, sample

from trainingrun.contract.records import AttemptStarted, Notice, Record
from trainingrun.history import history_of
from trainingrun.report import build_comparison
from trainingrun.report.comparison import comparison_view


def of(run: str, rate: float, **recipe: Any) -> list[Record]:
    configuration = {"spec": {"recipe": {"epochs": 2, "optimizer": {"parameters": {"lr": rate}}, **recipe}}}
    return [sample(AttemptStarted, run=run, configuration=configuration), *complete_run()[1:]]


def settings(*runs: list[Record]) -> tuple[list[str], dict[str, list[str]], str]:
    view = comparison_view([history_of(run) for run in runs])
    return list(view.settings.columns[1:]), {row[0]: list(row[1:]) for row in view.settings.rows}, view.same_settings


def test_only_what_differs_is_in_the_table():
    steps = [{"function": "my:decode"}, {"function": "my:crop"}]
    names, rows, same = settings(of("first", 0.1), of("second", 0.2, transforms=steps))
    assert names == ["first", "second"]
    assert rows == {
        "spec.recipe.optimizer.parameters.lr": ["0.1", "0.2"],
        "spec.recipe.transforms[0].function": ["-", "my:decode"],
        "spec.recipe.transforms[1].function": ["-", "my:crop"],
    }
    assert same == "3 settings are the same in all of them."  # epochs, torch's version and the number of workers


def test_runs_of_one_name_are_numbered():
    assert settings(of("digits", 0.1), of("digits", 0.2), of("other", 0.1))[0] == ["digits (1)", "digits (2)", "other"]


def test_each_curve_has_every_run():
    page = Page(html := build_comparison([of("first", 0.1), resumed_run()]))
    assert_loads_nothing(html, page)
    charts = json.loads(page.scripts[0])
    assert [curve["label"] for curve in charts["metric-0"]["curves"]] == ["first", "digits"]
    assert {chart["title"] for chart in charts.values()} == {
        "Loss",
        "Validation loss",
        "Validation accuracy",
    }


def test_secrets_hostile_names_and_runs_of_nothing_make_a_page():
    hostile = of("</script><script>alert(1)</script>", 0.1, env=[{"name": "API_KEY", "value": "hunter2"}])
    page = Page(html := build_comparison([hostile, [sample(Notice)]]))
    assert_loads_nothing(html, page)
    assert "hunter2" not in html
    assert "run without a name" in page.text
