"""The pages for contributors name files that there are, and the floors that import-linter holds."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from documents import ROOT, inline_code, table

PAGE = ROOT / "docs" / "architecture.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = [PAGE, CONTRIBUTING, *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
_ABBREVIATION = re.compile(r"`([A-Z]/)`\s+is\s+`([\w/]+/)`")
# Anything with a slash or an ending: a whole path, as nothing else in code is written on these pages.
_PATH = re.compile(r"\.?[\w-]+(?:[./-][\w-]+)*\.(?:py|ya?ml|j2|md|toml|txt|json)|\.?[\w.-]+(?:/[\w.-]*)+")
_NEVER = {"operator/__init__.py"}


def paths_of(page: Path) -> list[str]:
    """The paths that a page names, from the root of the repository."""
    roots = dict(_ABBREVIATION.findall(page.read_text()))
    named = [code for code in inline_code(page) if _PATH.fullmatch(code) and code not in roots]
    return [roots.get(path[:2], path[:2]) + path[2:] for path in named]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_named_files_are_there(page: Path) -> None:
    absent = [path for path in paths_of(page) if not (ROOT / path).exists() and path not in _NEVER]
    assert absent == []


def test_a_path_is_found_whichever_way_it_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`O/` is `operator/trainingrun/`. `O/no/such.py` `O/naming.py`, `docs/absent.md`, `O/engine`, `Makefile`,\n"
        "`absent.toml`, `make unit`, `O/crd/files.py` and `numpy.random`."
    )
    assert paths_of(page) == [
        "operator/trainingrun/",
        "operator/trainingrun/no/such.py",
        "operator/trainingrun/naming.py",
        "docs/absent.md",
        "operator/trainingrun/engine",
        "absent.toml",
        "operator/trainingrun/crd/files.py",
    ]


def test_most_of_the_architecture_page_is_about_files() -> None:
    assert len(paths_of(PAGE)) > 100
    assert len(table(PAGE, "What")) > 10


@pytest.mark.parametrize(("package", "box"), [("trainingrun", "o"), ("trainingrun_trainer", "t")])
def test_the_floors_are_those_that_lint_holds(package: str, box: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [
        contract["layers"]
        for contract in contracts
        if contract["type"] == "layers"
        and "containers" not in contract
        and contract["layers"][0].startswith(f"{package}.")
    ]
    held = [" · ".join(name.removeprefix(f"{package}.") for name in layer.split(" | ")) for layer in layers]
    drawn = re.findall(rf'\b{box}(\d+)\["(.+?)"\]', PAGE.read_text())
    assert [name for _, name in sorted(drawn, key=lambda found: int(found[0]))] == held


def test_every_figure_of_the_bench_is_named_for_some_change() -> None:
    figures: set[str] = set()
    for node in ast.parse((ROOT / "bench" / "__main__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("FIGURES", "CLUSTER_FIGURES"):
            figures |= set(ast.literal_eval(node.value))
    assert len(figures) > 10
    assert {name for row in table(CONTRIBUTING, "Change") for name in re.findall(r"`(\w+)`", row[1])} == figures


def test_every_record_of_a_decision_is_in_the_index_and_has_its_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    records = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert len(records) >= 5
    assert [row[0] for row in table(folder / "README.md", "Decision")] == [
        f"[{record.read_text().splitlines()[0].removeprefix('# ')}]({record.name})" for record in records
    ]
    for record in records:
        parts = re.findall(r"^## (.+)$", record.read_text(), re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences", "Measured"], record.name
