"""The files that are generated and checked in: where they are, what they contain, and which are out of date.

Most are made from the typed model. The chart's rules are copied from the manifests, since Helm reads no file outside of
the chart.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import yaml

from trainingrun.contract.labels import PLURAL
from trainingrun.crd.conditions_page import conditions_page
from trainingrun.crd.definition import custom_resource_definition
from trainingrun.crd.reference import api_page
from trainingrun.crd.runtime_definitions import runtime_definitions

DEFINITIONS = "manifests/base/crd"
CHART_DEFINITIONS = "charts/trainingrun-operator/files"
DEFINITION = f"{DEFINITIONS}/{PLURAL}.yaml"
_FOLDERS = (DEFINITIONS, CHART_DEFINITIONS)
ROLE = "manifests/base/rbac/role.yaml"
CHART_RULES = "charts/trainingrun-operator/files/role_rules.yaml"
_HEADER = "# Written by `python -m trainingrun.crd` from the typed model.\n# yamllint disable rule:line-length\n"
_WIDTH = 120


def generated_files(root: Path) -> dict[str, str]:
    """The text of each file, by its path from the root of the repository, which has the manifests to copy from."""
    definitions = {PLURAL: custom_resource_definition(), **runtime_definitions()}
    texts = {plural: _HEADER + _yaml(definition) for plural, definition in definitions.items()}
    return {
        **{f"{folder}/{name}.yaml": text for folder in _FOLDERS for name, text in texts.items()},
        CHART_RULES: f"# Copied by `python -m trainingrun.crd` from {ROLE}.\n{_rules((root / ROLE).read_text())}",
        "docs/api.md": api_page(),
        "docs/conditions.md": conditions_page(),
    }


def stale_files(root: Path) -> list[str]:
    """The paths of files that are missing or have another text."""
    return list(_stale(root))


def write_files(root: Path) -> list[str]:
    """Write the files that are stale, and return their paths."""
    stale = _stale(root)
    for path, text in stale.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return list(stale)


def _stale(root: Path) -> dict[str, str]:
    return {path: text for path, text in generated_files(root).items() if _text(root / path) != text}


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _rules(role: str) -> str:
    """The rules of a role's manifest as they are written there, comments included."""
    return textwrap.dedent(role.partition("\nrules:\n")[2])


class _Dumper(yaml.CSafeDumper):
    """Writes everything out: an anchor in a definition would only puzzle its reader."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(value: object) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True)
