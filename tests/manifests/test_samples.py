"""Every sample is what the command line and the operator take, and names images and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from rendering import ROOT, parsed

from trainingrun.cli import main

SAMPLES = [*sorted((ROOT / "manifests" / "samples").glob("*.yaml")), *sorted((ROOT / "examples").glob("*/run.yaml"))]
_IMAGES = {"registry.example/trainingrun-trainer:0.1.0", "registry.example/trainingrun-operator:0.1.0"}

pytestmark = pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")


def test_a_sample_is_valid(path: Path) -> None:
    result = CliRunner().invoke(main, ["validate", "-f", str(path)])
    assert result.exit_code == 0, result.output


def test_a_sample_renders_to_one_rayjob_for_each_run(path: Path) -> None:
    result = CliRunner().invoke(main, ["render", "-f", str(path)])
    assert result.exit_code == 0, result.output
    runs = [item for item in parsed(path.read_text()) if item["kind"] == "TrainingRun"]
    jobs = list(yaml.safe_load_all(result.stdout))
    assert [job["kind"] for job in jobs] == ["RayJob"] * len(runs)
    for run, job in zip(runs, jobs, strict=True):
        labels = run["metadata"].get("labels", {})
        assert {key: job["metadata"]["labels"].get(key) for key in labels} == labels


def test_a_sample_begins_with_what_it_is_for(path: Path) -> None:
    first = path.read_text().removeprefix("---\n").splitlines()[0]
    assert re.fullmatch(r"# [A-Z].{20,}", first)


def test_images_of_ours_are_those_that_the_dockerfiles_name(path: Path) -> None:
    used = set(re.findall(r"registry\.example/trainingrun-\S+", path.read_text()))
    assert used <= _IMAGES
    dockerfiles = "".join(file.read_text() for file in (ROOT / "images").glob("*/Dockerfile"))
    assert all(f"--tag {image} ." in dockerfiles for image in used)
