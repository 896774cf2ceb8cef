"""Checks the documented commands about clusters with the programs themselves, without a cluster.

With `--help`, kubectl parses a line as it always does, and stops there. What it would ask the API server for is
compared with the definitions that are checked in. Whether a command does what its page says, tests/cluster tries.
"""

from __future__ import annotations

import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from documents import ROOT
from go_binaries import binaries, kuberay_files, version_of

from trainingrun.contract import labels
from trainingrun.contract.labels import KIND
from trainingrun.spec.documents import load_runs
from trainingrun.status.conditions import ConditionType

PROGRAMS = ("kubectl", "helm")
_CHART = "charts/trainingrun-operator"
# Verbs whose next word is a kind of object, or several with commas, or an object after its kind and a slash.
_ABOUT_KINDS = ("get", "describe", "delete", "explain")
_KUBERNETES = frozenset(
    "crd deployment endpointslices events lease mutatingwebhookconfigurations namespace networkpolicies node nodes "
    "persistentvolume persistentvolumeclaim pod pods resourcequota rolebindings clusterrolebindings secrets "
    "services validatingadmissionpolicies validatingwebhookconfigurations deployments".split()
)
_KUEUE = frozenset({"localqueues", "workloads"})
_LABELS = frozenset(
    {labels.RUN_NAME_KEY, labels.RAY_GROUP_KEY, "app.kubernetes.io/name", "app.kubernetes.io/component"}
)
# Fields of `helm install` and `upgrade` that its `template`, which needs no cluster, does not have.
_ONLY_WITH_A_CLUSTER = frozenset({"--install", "--wait"})


def check_kubectl(words: list[str]) -> None:
    """The line parses, and is about kinds, labels, conditions and files that there are."""
    program = str(binaries(PROGRAMS)["kubectl"])
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert f"kubectl {words[0]}" in done.stdout, f"kubectl has no verb {words[0]}"
    if words[0] in _ABOUT_KINDS and len(words) > 1:
        assert set(_kinds(words[1])) <= known_kinds(), words[1]
    selectors = [value for option, value in pairwise(words) if option == "-l"]
    assert {part.partition("=")[0] for selector in selectors for part in selector.split(",")} <= _LABELS
    conditions = [word.removeprefix("--for=condition=") for word in words if word.startswith("--for=condition=")]
    assert set(conditions) <= set(ConditionType)
    if words[0] == "apply" and len(words) > 1:
        option, path = next(pair for pair in pairwise(words) if pair[0] in ("-f", "-k"))
        assert (ROOT / path / "kustomization.yaml").is_file() if option == "-k" else _objects(ROOT / path)


def _objects(path: Path) -> list[dict[str, Any]]:
    """The objects in a file, of kinds that there are; runs among them are valid."""
    assert path.is_file(), path
    objects = [document for document in yaml.safe_load_all(path.read_text()) if document]
    assert {body["kind"].lower() for body in objects} <= known_kinds()
    if any(body["kind"] == KIND for body in objects):
        load_runs(path)
    return objects


def check_helm(words: list[str]) -> None:
    """Helm takes the line, and renders this project's chart with its values."""
    program = str(binaries(PROGRAMS)["helm"])
    commands = [[program, *words, "--help"]]
    if words[0] != "test":
        assert words[0] in ("install", "upgrade")
        assert _CHART in words
        kept = [word for word in words[1:] if word not in _ONLY_WITH_A_CLUSTER]
        commands.append([program, "template", *kept, "--kube-version", version_of("kubectl")])
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def check_docker(words: list[str]) -> None:
    """An image is built as its Dockerfile says, and only such an image is pushed."""
    dockerfiles = {path: path.read_text() for path in (ROOT / "images").glob("*/Dockerfile")}
    if words[0] == "build":
        dockerfile = ROOT / words[words.index("--file") + 1]
        assert f"#   docker {' '.join(words)}\n" in dockerfiles[dockerfile]
    else:
        verb, image = words
        assert verb == "push"
        assert any(f"--tag {image} ." in text for text in dockerfiles.values()), image


@cache
def known_kinds() -> frozenset[str]:
    """Names that kubectl knows kinds by: Kubernetes' and Kueue's that are in use, all of KubeRay's and ours."""
    files = [*(ROOT / "manifests/base/crd").glob("*.yaml"), *kuberay_files().glob("config/crd/bases/*.yaml")]
    definitions = [found for file in files for found in yaml.load_all(file.read_bytes(), yaml.CSafeLoader)]
    names = [found["spec"]["names"] for found in definitions if found["kind"] == "CustomResourceDefinition"]
    ours = {word for name in names for word in (name["plural"], name["singular"], *name.get("shortNames", ()))}
    return frozenset(ours) | _KUBERNETES | _KUEUE


def _kinds(word: str) -> list[str]:
    """The kinds that a word of kubectl names; `explain` goes on with the fields."""
    return [kind.partition("/")[0].partition(".")[0] for kind in word.split(",")]
