"""The files that are generated and checked in: where they are, what is to be in them, and which are out of date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from trainingrun.contract.labels import PLURAL
from trainingrun.crd.conditions_page import conditions_page
from trainingrun.crd.definition import custom_resource_definition
from trainingrun.crd.reference import api_page

DEFINITION = f"manifests/base/crd/{PLURAL}.yaml"
# Helm reads no file outside of the chart.
CHART_DEFINITION = f"charts/trainingrun-operator/files/{PLURAL}.yaml"
_HEADER = "# Written by `python -m trainingrun.crd` from the typed model.\n# yamllint disable rule:line-length\n"
_WIDTH = 120


def generated_files() -> dict[str, str]:
    """The text of each file, by its path from the root of the repository."""
    definition = _HEADER + _yaml(custom_resource_definition())
    return {
        DEFINITION: definition,
        CHART_DEFINITION: definition,
        "docs/api.md": api_page(),
        "docs/conditions.md": conditions_page(),
    }


def stale_files(root: Path) -> list[str]:
    """The paths of files that are missing or have another text."""
    return [path for path, text in generated_files().items() if _text(root / path) != text]


def write_files(root: Path) -> list[str]:
    """Write the files that are stale, and return their paths."""
    stale = stale_files(root)
    texts = generated_files()
    for path in stale:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(texts[path])
    return stale


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


class _Dumper(yaml.SafeDumper):
    """Writes everything out: an anchor in a definition would only puzzle its reader."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(value: object) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True)
