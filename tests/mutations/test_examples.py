"""Every example is a valid run that trains to the figure it states."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from example_runs import EXAMPLES, FOLDER, MOUNT, REACHES, RECIPES, Example
from in_process import train

from trainingrun.spec.documents import load_runs


def test_there_are_fourteen() -> None:
    assert len(EXAMPLES) == 14


def test_the_page_lists_each_with_what_it_does_and_reaches() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\((.+?)\) \| (.+) \| `(.+)` \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert rows == [
        (
            example.name,
            f"{example.name}/run.yaml",
            example.run_file.read_text().splitlines()[0].removeprefix("# "),
            example.document()["metadata"]["annotations"][REACHES],
        )
        for example in EXAMPLES
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_is_short_and_valid(example: Example) -> None:
    (loaded,) = load_runs(example.run_file)
    assert loaded.run.metadata.name == example.name.replace("_", "-")
    text = example.run_file.read_text()
    assert len(text.splitlines()) <= 40
    assert f"{example.data_folder(MOUNT)}" in text


@pytest.mark.parametrize("example", RECIPES, ids=lambda example: example.name)
def test_an_example_trains_to_its_figure(example: Example, tmp_path: Path) -> None:
    example.write_data(tmp_path)
    told = train(example.document(), tmp_path, example.folder)
    assert told.end.exit_code == 0, told.end.message
    assert example.figure.is_met(told.metrics), told.metrics
    assert told.seconds < 30
