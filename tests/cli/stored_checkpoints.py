"""Checkpoints in a folder that stands for a claim, as the trainer writes them, and a run whose status names them."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

from cluster_objects import run

FOLDER = "uid-of-mnist"
LAST, BEFORE = "step-00000120-e00002a0g1", "step-00000060-e00001a0g1"
CLAIM = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt/models"}}


def content(name: str, size: int) -> bytes:
    return random.Random(name).randbytes(size)


def save(claim: Path, checkpoint: str, *, state: int = 300_000) -> dict[str, bytes]:
    """A whole checkpoint; its files."""
    files = {name: content(f"{checkpoint}/{name}", size) for name, size in _sizes(state).items()}
    said = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    return _written(claim, checkpoint, files, "manifest.json", {"version": 1, "files": said})


def save_best(claim: Path, checkpoint: str) -> dict[str, bytes]:
    """The copy of the best checkpoint; its files."""
    state = content(f"{checkpoint}/state.pt", 300_000)
    said = {"state.pt": {"bytes": len(state), "sha256": hashlib.sha256(state).hexdigest()}}
    return _written(claim, "best", {"state.pt": state}, "metrics.json", {"checkpoint": checkpoint, "files": said})


def mnist(**outputs: Any) -> dict[str, Any]:
    """The run that has written them, which ended well."""
    folder = f"pvc://models/{FOLDER}"
    body = run("mnist", "Complete", "Complete")
    body["status"]["outputs"] = {"folderURI": folder, "last": {"uri": f"{folder}/{LAST}", "step": 120}, **outputs}
    body["spec"] |= {"storage": CLAIM, "imagePullSecrets": [{"name": "registry"}]}
    return body


def _sizes(state: int) -> dict[str, int]:
    return {"state.pt": state, "random-0.pt": 5_000, "rows-0.npz": 0}


def _written(claim: Path, folder: str, files: dict[str, bytes], saying: str, said: Any) -> dict[str, bytes]:
    whole = {**files, saying: json.dumps(said).encode()}
    (claim / FOLDER / folder).mkdir(parents=True, exist_ok=True)
    for name, data in whole.items():
        (claim / FOLDER / folder / name).write_bytes(data)
    return whole
