"""Runs and pods as a real cluster had them: `E2E_RECORD=1 make e2e` writes the files of the folder `recorded` anew."""

from __future__ import annotations

import json
from pathlib import Path

from network_policy import Endpoint, Object

_FOLDER = Path(__file__).parent / "recorded"
# The file of each run, by the state that it is in.
_RUNS = {
    "Starting": "waiting",
    "Running": "training",
    "Complete": "complete",
    "Failed": "failing",
    "Suspended": "suspended",
}


def runs() -> dict[str, Object]:
    """A run of each state, by the state's name."""
    found = {state: _read(name) for state, name in _RUNS.items()}
    assert {state: run["status"]["state"] for state, run in found.items()} == {state: state for state in found}
    return found


def pods() -> dict[str, Endpoint]:
    """The pods of a run, both operators and the cluster's DNS."""
    return {name: Endpoint(pod["namespace"], pod["labels"], pod["ports"]) for name, pod in _read("pods").items()}


def _read(name: str) -> Object:
    content: Object = json.loads((_FOLDER / f"{name}.json").read_text())
    return content
