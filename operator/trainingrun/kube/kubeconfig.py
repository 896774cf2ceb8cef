"""Reads kubeconfig files as kubectl does: several are merged, and of what they repeat the first one counts.

It must not connect to anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEFAULT_PATH = "~/.kube/config"
_KINDS = ("clusters", "contexts", "users")
# The entries that name files; they are relative to the kubeconfig that has them.
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
# The C parser needs a twentieth of the time for the certificates that kubeconfigs hold.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NoCluster(Exception):
    """It is not known which API server to talk to, or how. The message is a sentence for the user."""


@dataclass(frozen=True)
class Context:
    """What a context chooses. Paths in `cluster` and `user` are absolute; `folder` is that of the user's file."""

    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    user_name: str
    folder: Path
    namespace: str


def read_context(kubeconfig: str | None, name: str | None) -> Context:
    """The context of this name, or the current one, in this file, or $KUBECONFIG's or ~/.kube/config.

    Raises `NoCluster`.
    """
    paths = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_PATH
    files = [path for part in paths.split(os.pathsep) if part and (path := Path(part).expanduser()).is_file()]
    if not files:
        raise NoCluster(f"There is no kubeconfig at {paths}")
    try:
        return _chosen(_merged(files), paths, name)
    except OSError as error:
        raise NoCluster(f"The kubeconfig {error.filename} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        # Files hold whatever somebody wrote; their form is checked by use.
        raise NoCluster(f"The kubeconfig is damaged: {' '.join(str(error).split())}") from error


def _merged(files: list[Path]) -> dict[str, Any]:
    """The files as one, with the file that each entry comes from."""
    merged: dict[str, Any] = {kind: {} for kind in _KINDS}
    for file in files:
        document = yaml.load(file.read_bytes(), Loader=_LOADER) or {}  # noqa: S506 - both are safe loaders
        if not isinstance(document, dict):
            raise TypeError(f"{file} is not a mapping")
        if document.get("current-context"):
            merged.setdefault("current-context", document["current-context"])
        for kind in _KINDS:
            for entry in document.get(kind) or ():
                merged[kind].setdefault(entry["name"], (entry, file.absolute().parent))
    return merged


def _chosen(merged: Mapping[str, Any], paths: str, name: str | None) -> Context:
    chosen = name or merged.get("current-context")
    known = ", ".join(merged["contexts"]) or "none"
    if not chosen:
        raise NoCluster(f"{paths} has no current context; it has {known}")
    if chosen not in merged["contexts"]:
        raise NoCluster(f"{paths} has no context {chosen}; it has {known}")
    context = merged["contexts"][chosen][0]["context"]
    cluster, _ = _entry(merged, "clusters", "cluster", context["cluster"])
    user_name = context.get("user") or ""
    user, folder = _entry(merged, "users", "user", user_name) if user_name in merged["users"] else ({}, Path())
    return Context(cluster, user, str(user_name), folder, str(context.get("namespace") or "default"))


def _entry(merged: Mapping[str, Any], kind: str, key: str, name: str) -> tuple[dict[str, Any], Path]:
    if name not in merged[kind]:
        raise KeyError(f"it has no {key} {name}")
    entry, folder = merged[kind][name]
    values = dict(entry.get(key) or {})
    return {**values, **{file: str(folder / values[file]) for file in _FILES if values.get(file)}}, folder
