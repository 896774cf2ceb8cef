"""The files that are checked in are those that the code generates."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from trainingrun.contract.failure_class import FailureClass
from trainingrun.crd.definition import custom_resource_definition
from trainingrun.crd.files import CHART_DEFINITION, DEFINITION, generated_files, stale_files, write_files
from trainingrun.spec.run import Run
from trainingrun.status.conditions import ConditionType, Reason
from trainingrun.status.fields import RunStatus

ROOT = Path(__file__).parents[2]


def test_generated_files_are_up_to_date():
    assert stale_files(ROOT) == [], "run: python -m trainingrun.crd"


@pytest.mark.parametrize("path", [DEFINITION, CHART_DEFINITION])
def test_the_files_of_the_definition_are_the_definition(path):
    assert yaml.safe_load((ROOT / path).read_text()) == custom_resource_definition()


def test_kustomize_takes_the_definition():
    kustomization = yaml.safe_load((ROOT / DEFINITION).with_name("kustomization.yaml").read_text())
    assert kustomization["resources"] == [Path(DEFINITION).name]


def test_stale_files_are_found_and_written_once(tmp_path):
    assert stale_files(tmp_path) == list(generated_files())
    assert write_files(tmp_path) == list(generated_files())
    assert write_files(tmp_path) == []
    changed = tmp_path / DEFINITION
    changed.write_text(changed.read_text() + "\n")
    assert stale_files(tmp_path) == [DEFINITION]


@pytest.mark.parametrize(("change", "code", "said"), [("", 0, ""), ("# more\n", 1, f"out of date: {DEFINITION}")])
def test_the_command_tells_stale_files_and_ends_with_1(tmp_path, change, code, said):
    (tmp_path / "pyproject.toml").touch()
    write_files(tmp_path)
    with (tmp_path / DEFINITION).open("a") as file:
        file.write(change)
    command = [sys.executable, "-m", "trainingrun.crd", "--check"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == code
    assert ended.stderr.startswith(said)


def test_the_command_writes_nothing_outside_the_repository(tmp_path):
    command = [sys.executable, "-m", "trainingrun.crd"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", [Run, RunStatus], ids=lambda model: model.__name__)
def test_every_field_has_a_row_in_the_reference(model):
    text = generated_files()["docs/api.md"]
    definitions = model.model_json_schema()["$defs"]
    for name, definition in definitions.items():
        if name == "Metadata" or "properties" not in definition:
            continue
        section = re.search(rf"^##+ {name}\n(.*?)(^##|\Z)", text, re.MULTILINE | re.DOTALL)
        assert section, name
        rows = re.findall(r"^\| `(\w+)` \|", section[1], re.MULTILINE)
        assert rows == list(definition["properties"]), name


def test_every_condition_class_and_reason_has_one_row():
    rows = re.findall(r"^\| `(\w+)` \|.* \| (.+) \|$", generated_files()["docs/conditions.md"], re.MULTILINE)
    rows += re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", generated_files()["docs/conditions.md"], re.MULTILINE)
    # A class that is a reason of other conditions too has its row among the classes.
    reasons = [reason for reason in Reason if FailureClass.of(reason) is None]
    assert sorted(rows) == sorted((word, word.description) for word in (*ConditionType, *FailureClass, *reasons))


def test_classes_of_failure_have_their_default_action():
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", generated_files()["docs/conditions.md"], re.MULTILINE)
    assert dict(rows) == dict.fromkeys(FailureClass, "Count") | {
        "Preempted": "Ignore",
        **dict.fromkeys(("OutOfMemory", "ImagePull", "InvalidConfig", "UserError", "DeadlineExceeded"), "Fail"),
    }
