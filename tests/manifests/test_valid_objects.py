"""Everything that the project hands to a cluster is valid there: field by field, by the schemas of the API."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from object_schemas import write_schemas
from rendering import ROOT, Manifests, Object, parsed

DEFINITIONS = sorted((ROOT / "manifests" / "base" / "crd").glob("*training*.yaml"))
SAMPLES = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))
# Every value that adds an object.
ALL = {"replicas": 2, "namespaces": ["training"], "networkPolicy": {"runs": ["training"]}}
# Of others' definitions, which are not described here.
FOREIGN = {"ServiceMonitor", "Kustomization"}

Complaints = Callable[[list[Object]], str]


@pytest.fixture(scope="module")
def everything(manifests: Manifests) -> list[Object]:
    rendered = [*manifests.chart(tests=True), *manifests.chart(ALL)]
    for overlay in ("default", "ha", "namespaced"):
        rendered += manifests.overlay(overlay)
    files = [*SAMPLES, *sorted((ROOT / "manifests" / "gitops").glob("*.yaml"))]
    rendered += [item for path in files for item in parsed(path.read_text())]
    return [item for item in rendered if item["kind"] not in FOREIGN]


@pytest.fixture(scope="module")
def complaints(
    tools: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    kubernetes_files: Path,
    everything: list[Object],
) -> Complaints:
    """What kubeconform says against objects; nothing, if they are valid."""
    kinds = {(item["apiVersion"], item["kind"]) for item in everything}
    location = write_schemas(tmp_path_factory.mktemp("schemas"), kubernetes_files, DEFINITIONS, kinds)
    command = [str(tools["kubeconform"]), "-schema-location", location, "-output", "text"]

    def complain(objects: list[Object]) -> str:
        text = yaml.safe_dump_all(objects)
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)
        return done.stdout + done.stderr

    return complain


def test_every_object_is_valid(complaints: Complaints, everything: list[Object]) -> None:
    assert len(everything) > 60
    assert complaints(everything) == ""


@pytest.mark.parametrize(
    ("change", "word"),
    [({"spec": {"podSelectors": {}}}, "podSelectors"), ({"spec": {"policyTypes": "Ingress"}}, "policyTypes")],
    ids=["unknown-field", "wrong-type"],
)
def test_an_object_that_is_not_valid_is_found(complaints: Complaints, change: Object, word: str) -> None:
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a"}, **change}
    assert word in complaints([policy])


def test_a_run_with_a_field_that_does_not_exist_is_found(complaints: Complaints) -> None:
    (run,) = parsed((ROOT / "manifests" / "samples" / "digits.yaml").read_text())
    run["spec"]["recipe"]["epoch"] = 3
    assert "epoch" in complaints([run])
