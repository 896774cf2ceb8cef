"""The files that are checked in are those that the code generates."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from trainingrun.contract.failure_class import FailureClass
from trainingrun.crd.definition import custom_resource_definition
from trainingrun.crd.files import (
    CHART_DEFINITIONS,
    CHART_RULES,
    DEFINITION,
    DEFINITIONS,
    ROLE,
    generated_files,
    stale_files,
    write_files,
)
from trainingrun.crd.runtime_definitions import runtime_definitions
from trainingrun.spec.run import Run
from trainingrun.status.conditions import ConditionType, Reason
from trainingrun.status.reported_fields import RunStatus

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def files():
    """The text of every generated file by its path."""
    return generated_files(ROOT)


@pytest.fixture
def checkout(tmp_path):
    """A repository with nothing in it but what is copied."""
    (tmp_path / ROLE).parent.mkdir(parents=True)
    shutil.copy(ROOT / ROLE, tmp_path / ROLE)
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


def test_generated_files_are_up_to_date():
    assert stale_files(ROOT) == [], "run: python -m trainingrun.crd"


@pytest.mark.parametrize("folder", [DEFINITIONS, CHART_DEFINITIONS])
def test_the_files_of_the_definitions_are_the_definitions(folder):
    for plural, definition in {"trainingruns": custom_resource_definition(), **runtime_definitions()}.items():
        assert yaml.load((ROOT / folder / f"{plural}.yaml").read_text(), yaml.CSafeLoader) == definition


def test_kustomize_takes_the_definitions():
    folder = ROOT / DEFINITIONS
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert {"kustomization.yaml", *kustomization["resources"]} == {path.name for path in folder.iterdir()}


def test_the_rules_of_the_chart_are_those_of_the_manifests():
    rules = yaml.safe_load((ROOT / CHART_RULES).read_text())
    assert len(rules) > 5
    assert rules == yaml.safe_load((ROOT / ROLE).read_text())["rules"]


def test_stale_files_are_found_and_written_once(checkout, files):
    assert stale_files(checkout) == list(files)
    assert write_files(checkout) == list(files)
    assert write_files(checkout) == []
    changed = checkout / DEFINITION
    changed.write_text(changed.read_text() + "\n")
    assert stale_files(checkout) == [DEFINITION]


def test_a_changed_role_makes_the_rules_of_the_chart_stale(checkout):
    write_files(checkout)
    role = checkout / ROLE
    role.write_text(role.read_text().replace("verbs: [patch]", "verbs: [patch, update]"))
    assert write_files(checkout) == [CHART_RULES]
    assert yaml.safe_load((checkout / CHART_RULES).read_text()) == yaml.safe_load(role.read_text())["rules"]


@pytest.mark.parametrize(("change", "code", "said"), [("", 0, ""), ("# more\n", 1, f"out of date: {DEFINITION}")])
def test_the_command_tells_stale_files_and_ends_with_1(checkout, change, code, said):
    write_files(checkout)
    with (checkout / DEFINITION).open("a") as file:
        file.write(change)
    command = [sys.executable, "-m", "trainingrun.crd", "--check"]
    ended = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == code
    assert ended.stderr.startswith(said)


def test_the_command_writes_nothing_outside_the_repository(tmp_path):
    command = [sys.executable, "-m", "trainingrun.crd"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", [Run, RunStatus], ids=lambda model: model.__name__)
def test_every_field_has_a_row_in_the_reference(files, model):
    text = files["docs/api.md"]
    definitions = model.model_json_schema()["$defs"]
    for name, definition in definitions.items():
        if name == "Metadata" or "properties" not in definition:
            continue
        section = re.search(rf"^##+ {name}\n(.*?)(^##|\Z)", text, re.MULTILINE | re.DOTALL)
        assert section, name
        rows = re.findall(r"^\| `(\w+)` \|", section[1], re.MULTILINE)
        assert rows == list(definition["properties"]), name


def test_every_condition_class_and_reason_has_one_row(files):
    rows = re.findall(r"^\| `(\w+)` \|.* \| (.+) \|$", files["docs/conditions.md"], re.MULTILINE)
    rows += re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", files["docs/conditions.md"], re.MULTILINE)
    # A class that is a reason of other conditions too has its row among the classes.
    reasons = [reason for reason in Reason if FailureClass.of(reason) is None]
    assert sorted(rows) == sorted((word, word.description) for word in (*ConditionType, *FailureClass, *reasons))


def test_classes_of_failure_have_their_default_action(files):
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", files["docs/conditions.md"], re.MULTILINE)
    assert dict(rows) == dict.fromkeys(FailureClass, "Count") | {
        "Preempted": "Ignore",
        **dict.fromkeys(("OutOfMemory", "ImagePull", "InvalidConfig", "UserError", "DeadlineExceeded"), "Fail"),
    }
