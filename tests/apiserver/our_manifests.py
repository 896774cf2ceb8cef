"""Where our own manifests are: what the tests install is what a user installs."""

from __future__ import annotations

from pathlib import Path

_BASE = Path(__file__).parents[2] / "manifests" / "base"
# The definition of TrainingRun, those of all our kinds, and the folder of kustomize's with the operator's rights.
DEFINITION = _BASE / "crd" / "trainingruns.yaml"
DEFINITIONS = sorted((_BASE / "crd").glob("*training*.yaml"))
RIGHTS = _BASE / "rbac"
