"""The first screen of the README: its figures are those of the bench, and its picture is small and there."""

from __future__ import annotations

import json
import re
import statistics

import pytest
from documents import ROOT

TEXT = (ROOT / "README.md").read_text()
PICTURES = sorted((ROOT / "docs" / "images").iterdir())


def measured(figure: str, measure: str) -> float:
    """The median of a measure, as the bench's table shows it."""
    stored = json.loads((ROOT / "bench" / "results" / f"{figure}.json").read_text())
    (values,) = [found["values"] for found in stored["measures"] if found["name"] == measure]
    return statistics.median(values)


@pytest.mark.parametrize(
    ("words", "figure", "measure"),
    [
        (r"\*\*(\d+) lines\*\*", "yaml_lines", "yaml_lines"),
        (r"a RayJob for the same pods takes (\d+),", "yaml_lines", "yaml_lines_by_hand"),
        (r"\*\*(\d+) s\*\*", "cluster_recovery", "cluster_trainer_killed"),
        (r"\*\*([\d.]+) %\*\*", "stall", "stall_resnet18_own_core"),
    ],
)
def test_a_figure_is_that_of_the_bench(words: str, figure: str, measure: str) -> None:
    (shown,) = re.findall(words, TEXT)
    digits = len(shown.partition(".")[2])
    assert shown == f"{measured(figure, measure):.{digits}f}"


def test_the_readme_is_short_and_begins_with_the_report() -> None:
    assert len(TEXT.splitlines()) < 130
    first_screen = TEXT.partition("## Quick start")[0]
    assert "](docs/images/report.png)" in first_screen
    assert len(first_screen.split()) < 450


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_small_and_used(picture: object) -> None:
    assert picture.stat().st_size < 150_000  # type: ignore[attr-defined]
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    assert any(f"images/{picture.name})" in page.read_text() for page in pages)  # type: ignore[attr-defined]
