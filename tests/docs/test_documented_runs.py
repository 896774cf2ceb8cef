"""Every YAML block of the documentation is a run or a runtime that parses, part of a run, or values of the chart."""

from __future__ import annotations

import ast
import importlib
from typing import Any

import pytest
import yaml
from documents import ROOT, Block, blocks, table

from trainingrun.spec import parse
from trainingrun.spec.dataset import Dataset
from trainingrun.spec.recipe import Recipe
from trainingrun.spec.runtime import RUNTIME_KINDS, check_alone, parse_runtime

BASE: dict[str, Any] = {
    "apiVersion": "trainingrun.dev/v1beta1",
    "kind": "TrainingRun",
    "metadata": {"name": "documented"},
    "spec": {
        "image": "trainer:1",
        "recipe": {
            "dataset": {
                "train": {"format": "Parquet", "path": "/data/train"},
                "validation": {"format": "Parquet", "path": "/data/validation"},
            }
        },
        "storage": {"uri": "s3://bucket/runs"},
    },
}


def merged(base: Any, part: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(part, dict):
        return part
    return {**base, **{name: merged(base.get(name), value) for name, value in part.items()}}


# Its values are tried in tests/manifests/test_monitoring.py.
RUNS = [block for block in blocks("yaml") if block.document.name != "monitoring.md"]


@pytest.mark.parametrize("block", RUNS, ids=str)
def test_yaml_is_a_run_or_a_part_of_one_or_fields_of_a_spec(block: Block) -> None:
    for document in yaml.safe_load_all(block.text):
        if document.get("kind") in RUNTIME_KINDS:
            assert parse_runtime(document).template == document["spec"]["template"]
            continue
        if "runtimeRef" in document.get("spec", {}):
            assert check_alone(document).metadata.name == document["metadata"]["name"]
            continue
        is_of_run = document.keys() <= BASE.keys()
        run = parse(document if "kind" in document else merged(BASE, document if is_of_run else {"spec": document}))
        found = run.to_document()
        for name, fields in (document if is_of_run else {"spec": document}).items():
            assert not isinstance(fields, dict) or set(fields) <= set(found[name])


def test_the_run_of_the_readme_is_the_one_that_the_demo_trains() -> None:
    sample = (ROOT / "manifests" / "samples" / "digits.yaml").read_text()
    assert [block.text for block in blocks("yaml") if block.document.name == "README.md"] == [sample]
    assert len(sample.splitlines()) < 25
    assert "local -f manifests/samples/digits.yaml" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(("model", "document"), [(Recipe, "training.md"), (Dataset, "data.md")])
def test_every_field_of_a_recipe_is_explained(model: Any, document: str) -> None:
    text = (ROOT / "docs" / document).read_text()
    names = [field.alias or name for name, field in model.model_fields.items()]
    assert len(names) > 5
    assert [name for name in names if f"`{name}" not in text and f"{name}:" not in text] == []


def test_the_defaults_of_numbers_are_the_documented_ones() -> None:
    documented = {row[0].strip("`"): row[1] for row in table(ROOT / "docs" / "training.md", "Field")}
    for name, field in Recipe.model_fields.items():
        if isinstance(field.default, int) and not isinstance(field.default, bool):
            assert documented[field.alias or name] == str(field.default)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles_and_imports_what_is_there(block: Block) -> None:
    tree = ast.parse(block.text)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports
    for node in imports:
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
        else:
            for alias in node.names:
                importlib.import_module(alias.name)
