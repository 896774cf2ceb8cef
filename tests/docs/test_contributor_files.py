"""What contributors are offered besides the documentation calls the project's own tools and targets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from documents import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


def recipe(target: str) -> str:
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found, target
    return found[1]


def test_hooks_run_before_a_commit_what_lint_runs() -> None:
    linters = set(re.findall(r"\$\(BIN\)/([\w-]+)", recipe("lint")))
    hooks = {program for hook in HOOKS for program in re.findall(r"^\.venv/bin/([\w-]+)", hook["entry"])}
    assert hooks - linters == {"python"}
    assert linters <= hooks


def test_the_container_of_developers_is_set_up_by_make() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    program, target = container["postCreateCommand"].split()
    assert program == "make"
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
    assert container["image"].startswith("python:3.11")


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.name)
def test_a_form_asks_for_what_it_cannot_do_without(form: Path) -> None:
    document = yaml.safe_load(form.read_text())
    fields = [field for field in document["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)
