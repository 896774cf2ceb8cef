"""Runs as rows of lists, and ages as kubectl writes them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from status_page_runs import NOW, STATES, running

from trainingrun.status_page import OVERVIEW_COLUMNS, TOP_COLUMNS, WIDE_COLUMNS, overview_row, run_view_of, top_row
from trainingrun.status_page.overview import age

DEFINITION = Path(__file__).parents[3] / "manifests" / "base" / "crd" / "trainingruns.yaml"


def test_a_running_run_is_one_row():
    row = overview_row(run_view_of(running()), NOW)
    assert dict(zip(OVERVIEW_COLUMNS, row, strict=True)) == {
        "NAME": "mnist",
        "STATE": "Running",
        "PODS": "5/5",
        "PROGRESS": "45%",
        "STALL": "34%",
        "ATTEMPT": "1",
        "AGE": "120m",
    }


def test_a_wide_row_adds_what_kubectl_adds():
    row = overview_row(run_view_of(running()), NOW, wide=True)
    assert dict(zip(WIDE_COLUMNS, row, strict=True))["EPOCH"] == "5"
    assert row[-4:] == ("93%", "-", "mnist-ck4to-1", "Attempt 1 is training.")
    row = overview_row(run_view_of({"spec": {"runtimeRef": {"name": "gpu"}}}), NOW, wide=True)
    assert row[-3] == "gpu"


def test_a_wide_row_says_first_what_is_suspected():
    row = overview_row(run_view_of(STATES["suspected"]), NOW, wide=True)
    assert row[-1] == "Suspected: ImagePull: ErrImagePull: not found"


def test_the_columns_are_those_of_kubectl_get():
    (version,) = yaml.load(DEFINITION.read_text(), yaml.CSafeLoader)["spec"]["versions"]
    columns = [column["name"].upper() for column in version["additionalPrinterColumns"]]
    assert ["NAME", *columns] == list(WIDE_COLUMNS)


def test_what_is_not_known_is_a_dash_and_not_a_zero():
    row = overview_row(run_view_of(STATES["new"]), NOW, wide=True)
    assert row == ("mnist", "Pending", "-", "-", "-", "-", "5s", "-", "-", "-", "-", "-")


def test_top_shows_how_well_machines_are_used():
    row = top_row(run_view_of(running()))
    assert dict(zip(TOP_COLUMNS, row, strict=True)) == {
        "NAME": "mnist",
        "STATE": "Running",
        "TRAINERS": "2",
        "DATA": "2/2",
        "PROGRESS": "45%",
        "ETA": "2 h",
        "STALL": "34%",
        "CAUSE": "Production",
        "ROWS/S": "12.4 k",
        "GOODPUT": "93%",
    }


# k8s.io/apimachinery/pkg/util/duration: the cases of its own test.
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (330, "5m30s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 720, "3h12m"),
        (8 * 3600, "8h"),
        (48 * 3600 - 1, "47h"),
        (2 * 86400, "2d"),
        (2 * 86400 + 3600, "2d1h"),
        (8 * 86400, "8d"),
        (2 * 365 * 86400, "2y"),
        (2 * 365 * 86400 + 86400, "2y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages_are_kubectl_s(seconds, text):
    assert age(NOW - timedelta(seconds=seconds), NOW) == text


def test_an_age_is_never_negative_and_may_be_unknown():
    assert age(NOW + timedelta(seconds=5), NOW) == "0s"
    assert age(None, NOW) == "<unknown>"
