"""Each tutorial shows an example as it is: its run, its functions, and the commands that train it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from documents import ROOT, blocks, command_lines

PAGES = sorted(path for path in (ROOT / "docs" / "tutorials").glob("*.md") if path.name != "README.md")


def example_of(page: Path) -> Path:
    (name,) = {name for name in re.findall(r"examples/(\w+)/run\.yaml", page.read_text())}
    return ROOT / "examples" / name


def is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and is_part(value, whole[name]) for name, value in part.items())
    return bool(part == whole)


def test_the_index_lists_every_tutorial() -> None:
    linked = re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "tutorials" / "README.md").read_text())
    assert sorted(linked) == [page.name for page in PAGES]
    assert len(PAGES) == 5


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_its_commands_write_the_data_and_train_the_example(page: Path) -> None:
    name = example_of(page).name
    lines = [words for where, words in command_lines() if where.startswith(f"docs/tutorials/{page.name}:")]
    assert lines[:2] == [
        ["python", f"examples/{name}/data.py", f".trainingrun/examples/datasets/{name}"],
        ["trainingrun", "local", "-f", f"examples/{name}/run.yaml", "--volume", ".trainingrun/examples"],
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_its_run_is_that_of_the_example(page: Path) -> None:
    first = next(block for block in blocks("yaml") if block.document == page)
    shown = yaml.safe_load(first.text)
    run = yaml.safe_load((example_of(page) / "run.yaml").read_text())
    assert is_part(shown if "kind" in shown else {"spec": shown}, run)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_its_functions_are_those_of_the_example(page: Path) -> None:
    code = "\n".join(path.read_text() for path in example_of(page).glob("*.py"))
    shown = [block for block in blocks("python") if block.document == page and "trainingrun_trainer" not in block.text]
    lines = [line for block in shown for line in block.text.splitlines()]
    assert [line for line in lines if line not in code.splitlines()] == []
