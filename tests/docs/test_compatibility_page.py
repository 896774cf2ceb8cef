"""The versions in docs/compatibility.md are those that files pin, and that the project's own metadata allows."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from documents import ROOT, table

PAGE = ROOT / "docs" / "compatibility.md"
_LINES = [line for line in PAGE.read_text().splitlines() if re.search(r"\| `[\w/.-]+` \|$", line)]
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in _LINES]
# How the file of a row writes the version of its part.
_PINS = {
    "Kubernetes": r"\bk8s\.io/kubernetes v(\S+)",
    "KubeRay": r"\bgithub\.com/ray-project/kuberay/ray-operator v(\S+)",
    "Kueue": r"\bsigs\.k8s\.io/kueue v(\S+)",
    "Helm": r"\bhelm\.sh/helm/v3 v(\S+)",
    "Python": r"python:(\d+\.\d+)",
}
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def part_of(row: list[str]) -> str:
    return row[0].partition(",")[0]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} in {row[3]}")
def test_the_tested_version_is_the_pinned_one(row: list[str]) -> None:
    part, _, tested, file = part_of(row), *row[1:]
    pattern = _PINS.get(part, rf"^{part}==([^\s;]+)")
    # Of several versions for several versions of Python, the first is the image's.
    found = re.search(pattern, (ROOT / file.strip("`")).read_text(), re.MULTILINE)
    assert found and found[1] == tested


def test_the_oldest_versions_are_those_that_the_packages_ask_for() -> None:
    extras = _PROJECT["optional-dependencies"]
    asked = [*_PROJECT["dependencies"], *extras["trainer"], *extras["operator"], f"Python{_PROJECT['requires-python']}"]
    bounds = dict(re.fullmatch(r"([\w.-]+)(?:\[.*\])?>=([\d.]+)", requirement).groups() for requirement in asked)  # type: ignore[union-attr]
    named = {part_of(row): row[1] for row in ROWS if part_of(row) in bounds}
    assert set(named) >= {"Python", "ray", "torch", "kopf", "kubernetes"}
    assert named == {part: bounds[part] for part in named}


def test_the_oldest_kubernetes_is_that_of_the_chart_and_the_oldest_kuberay_that_of_the_installation_page() -> None:
    oldest = {part_of(row): row[1] for row in table(PAGE, "Part")}
    chart = yaml.safe_load((ROOT / "charts" / "trainingrun-operator" / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={oldest['Kubernetes']}.0-0"
    text = (ROOT / "docs" / "install.md").read_text()
    assert f"Kubernetes {oldest['Kubernetes']} or newer, KubeRay {oldest['KubeRay']} or newer" in text
