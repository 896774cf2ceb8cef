"""Renders the chart and the overlays with Helm and kustomize themselves, each way only once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "trainingrun-operator"
NAMESPACE = "trainingrun-system"
# A version for `kubeVersion`, since no cluster is asked.
KUBERNETES = "1.34.3"

Object = dict[str, Any]


class Refused(Exception):
    """Helm does not render the chart with these values; the message is Helm's."""


class Manifests:
    """The two ways to the same objects."""

    def __init__(self, helm: Path, kustomize: Path, home: Path):
        self._helm_program, self._kustomize_program, self._home = helm, kustomize, home
        self._rendered: dict[str, str] = {}

    def chart(self, values: Object | None = None, *, tests: bool = False, release: str = "operator") -> list[Object]:
        """What `helm install` makes with these values, without or with the pods of `helm test`."""
        return parsed(self.template(CHART, values, [] if tests else ["--skip-tests"], release))

    def overlay(self, name: str) -> list[Object]:
        """What `kubectl apply --kustomize manifests/overlays/NAME` makes."""
        return self.folder(ROOT / "manifests" / "overlays" / name)

    def folder(self, path: Path) -> list[Object]:
        """What kustomize makes of a folder."""
        return parsed(self._once([str(self._kustomize_program), "build", str(path)]))

    def notes(self, values: Object | None = None) -> str:
        """What Helm prints after an installation, rendered as any other template since that needs no cluster."""
        copy = self._home / "with-notes"
        if not copy.exists():
            shutil.copytree(CHART, copy)
            (copy / "templates" / "NOTES.txt").rename(copy / "notes.txt")
            (copy / "templates" / "notes.yaml").write_text('notes: {{ tpl (.Files.Get "notes.txt") . | toJson }}\n')
        shown = ["--show-only", "templates/notes.yaml"]
        return str(yaml.safe_load(self.template(copy, values, shown))["notes"])

    def template(self, chart: Path, values: Object | None, more: list[str], release: str = "operator") -> str:
        """`helm template` with these values."""
        # JSON is YAML, and no value is lost on the way as --set would lose some.
        text = json.dumps(values or {}, sort_keys=True)
        target = ["template", release, str(chart), "--namespace", NAMESPACE, "--kube-version", KUBERNETES]
        return self._once([str(self._helm_program), *target, *more, "--values", "-"], text)

    def lint(self) -> str:
        """`helm lint`, which must find nothing."""
        return self._once([str(self._helm_program), "lint", "--strict", str(CHART)])

    def _once(self, command: list[str], given: str = "") -> str:
        key = json.dumps([command, given])
        if key not in self._rendered:
            folders = {f"HELM_{kind}_HOME": str(self._home / kind) for kind in ("CACHE", "CONFIG", "DATA")}
            environment = {**os.environ, **folders}
            done = subprocess.run(
                command, input=given, capture_output=True, text=True, env=environment, check=False, timeout=60
            )
            if done.returncode:
                raise Refused(done.stderr + done.stdout)
            self._rendered[key] = done.stdout
        return self._rendered[key]


def parsed(text: str) -> list[Object]:
    """The objects of a stream of YAML documents."""
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def one(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The one object of this kind and name."""
    found = [item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{len(found)} objects {kind}/{name}"
    return found[0]


def names(objects: Iterable[Object]) -> set[tuple[str, str]]:
    """Kind and name of each."""
    return {(item["kind"], item["metadata"]["name"]) for item in objects}


def operator_pod(objects: Iterable[Object]) -> Object:
    """The pod template of the operator."""
    template: Object = one(objects, "Deployment", "trainingrun-operator")["spec"]["template"]
    return template


def environment(pod: Object) -> dict[str, str]:
    """The variables of the operator's container."""
    return {variable["name"]: variable["value"] for variable in pod["spec"]["containers"][0].get("env", [])}
