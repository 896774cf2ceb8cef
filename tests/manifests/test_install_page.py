"""The commands, names and files of docs/install.md are those of the chart and the overlays."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from rendering import CHART, KUBERNETES, ROOT, Manifests, names, one

PAGE = (ROOT / "docs" / "install.md").read_text()
_BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
LINES = [line for language, text in _BLOCKS if language == "shell" for line in text.splitlines()]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("helm")])
def test_helm_takes_the_line(tools: dict[str, Path], line: str) -> None:
    words = shlex.split(line)[1:]
    if words[0] == "test":
        assert words[1:] == ["trainingrun", "--namespace", "trainingrun-system"]
        return
    assert words[0] in ("install", "upgrade")
    # The same line, without a cluster.
    command = [str(tools["helm"]), "template", *words[1:], "--kube-version", KUBERNETES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("kubectl")])
def test_kustomize_takes_the_folder_of_the_line(manifests: Manifests, line: str) -> None:
    words = shlex.split(line)
    assert words[:2] == ["kubectl", "apply"]
    assert manifests.folder(ROOT / words[words.index("-k") + 1])


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("docker")])
def test_an_image_is_built_as_its_dockerfile_says(line: str) -> None:
    words = shlex.split(line)
    assert f"#   {line}\n" in (ROOT / words[words.index("--file") + 1]).read_text()


def test_every_line_is_checked() -> None:
    assert len(LINES) > 8
    assert {line.split()[0] for line in LINES} == {"docker", "helm", "kubectl"}


def test_the_dockerfile_has_four_lines_and_starts_from_the_training_image() -> None:
    (text,) = [text for language, text in _BLOCKS if language == "dockerfile"]
    lines = text.splitlines()
    assert [line.split()[0] for line in lines] == ["FROM", "USER", "RUN", "COPY"]
    dockerfile = (ROOT / "images" / "trainer" / "Dockerfile").read_text()
    assert f"--tag {lines[0].split()[1]} ." in dockerfile
    (path,) = re.findall(r"PYTHONPATH=(\S+)", dockerfile)
    assert lines[3].split()[2].startswith(f"{path}/")
    sample = yaml.safe_load((ROOT / "manifests" / "samples" / "own-script.yaml").read_text())
    assert sample["spec"]["trainer"]["command"][-1] == lines[3].split()[1]


def test_overlays_values_and_objects_exist_under_their_names(manifests: Manifests) -> None:
    overlays = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert overlays == {path.name for path in (ROOT / "manifests" / "overlays").iterdir()}
    objects = manifests.chart()
    assert ("Secret", "trainingrun-operator-certificate") in names(objects)
    service = one(objects, "Service", "trainingrun-operator-progress")["metadata"]
    assert f"`{service['name']}.{service['namespace']}.svc`" in PAGE
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for path in ("progress.existingSecret", "rbac.aggregate", "networkPolicy.runs"):
        assert path in PAGE
        section, key = path.split(".")
        assert key in values[section]


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).resolve().exists()] == []
