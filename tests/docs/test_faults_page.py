"""The table of faults names tests that there are, and leaves out none that breaks something on a real cluster."""

from __future__ import annotations

import re

import pytest
from documents import ROOT

PAGE = ROOT / "docs" / "faults.md"
HEAD = "| What breaks | What happens | Seconds | Tested by |"
E2E = ROOT / "tests" / "cluster" / "e2e"
# Their tests are faults, all of them.
FAULTS = ("test_surviving_kills.py", "test_node_faults.py", "test_control_plane_faults.py", "test_failing_honestly.py")


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and line != HEAD]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_tells_what_happens_and_names_tests_that_there_are(row: list[str]) -> None:
    _, happens, seconds, tried = row
    assert happens
    assert re.fullmatch(r"-|\d+( to \d+)?", seconds)
    links = re.findall(r"\[(\w+)\]\((.+?)\)", tried)
    assert links
    for name, path in links:
        code = (PAGE.parent / path).read_text()
        assert re.search(rf"^(async def {name}\(|def {name}\(|{name} = )", code, re.MULTILINE), f"no {name} in {path}"


def test_there_are_many_rows() -> None:
    assert PAGE.read_text().count(HEAD) > 3
    assert len(rows()) > 30


@pytest.mark.parametrize("file", FAULTS)
def test_every_fault_of_the_real_cluster_has_its_row(file: str) -> None:
    broken = re.findall(r"^def (test_\w+)\(", (E2E / file).read_text(), re.MULTILINE)
    assert broken
    text = PAGE.read_text()
    assert [name for name in broken if f"[{name}](" not in text] == []
