"""Runs and pods as a real cluster has them, kept in tests/manifests/recorded for tests that judge them without one.

`E2E_RECORD=1` writes them anew; otherwise scenarios compare what they see with what is kept, so that it stays true.
Of a pod only what a NetworkPolicy can select by is kept.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Object = dict[str, Any]

_FOLDER = Path(__file__).parents[2] / "manifests" / "recorded"
# How long trainers wait for data depends on the machine.
_OF_THE_MACHINE = frozenset({"DataStarved"})


def same_run(name: str, run: Object) -> bool:
    """Whether the run has the state, and its conditions the values and reasons, of the one that is kept."""
    return _facts(run) == _facts(_kept(name, run))


def same_pods(pods: dict[str, Object]) -> bool:
    """Whether these pods, by what they are called here, have the labels and ports of those that are kept."""
    seen = {name: _endpoint(pod) for name, pod in pods.items()}
    kept = _kept("pods", seen)
    return {name: _kind(pod) for name, pod in seen.items()} == {name: _kind(pod) for name, pod in kept.items()}


def _kept(name: str, seen: Object) -> Object:
    file = _FOLDER / f"{name}.json"
    if os.environ.get("E2E_RECORD"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(seen, indent=1, sort_keys=True) + "\n")
    kept: Object = json.loads(file.read_text())
    return kept


def _facts(run: Object) -> tuple[str, dict[str, tuple[str, str]]]:
    conditions = {c["type"]: (c["status"], c["reason"]) for c in run["status"]["conditions"]}
    return run["status"]["state"], {kind: c for kind, c in conditions.items() if kind not in _OF_THE_MACHINE}


def _endpoint(pod: Object) -> Object:
    ports = {port["name"]: port["containerPort"] for c in pod["spec"]["containers"] for port in c.get("ports", [])}
    return {"namespace": pod["metadata"]["namespace"], "labels": pod["metadata"]["labels"], "ports": ports}


def _kind(pod: Object) -> tuple[list[str], Object]:
    """What two pods of one kind have in common; values of labels have names and hashes in them."""
    return sorted(pod["labels"]), pod["ports"]
