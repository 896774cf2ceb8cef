"""What a kept cluster was started with, and whether a run would get the same from a new one. Pure.

Whatever a process of the cluster reads once, as it starts, has to be the same: a run must not notice who started them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainingrun.history.figures import plural
from trainingrun_trainer.local.machine import Size

# What a terminal and a shell set for themselves. Nothing of it is for a program that trains.
_OF_TERMINALS = frozenset(
    {
        "_",
        "COLORTERM",
        "COLUMNS",
        "DBUS_SESSION_BUS_ADDRESS",
        "DISPLAY",
        "GPG_TTY",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "LINES",
        "LS_COLORS",
        "OLDPWD",
        "PS1",
        "PWD",
        "SHLVL",
        "STY",
        "TERM",
        "VIRTUAL_ENV_PROMPT",
        "WAYLAND_DISPLAY",
        "WINDOW",
        "WINDOWID",
        "XDG_SESSION_ID",
    }
)
_OF_TERMINALS_PREFIXES = ("ITERM_", "SSH_", "TERM_", "TMUX", "VSCODE_")
_SHOWN = 3


@dataclass(frozen=True)
class Offer:
    """What a cluster is started with.

    `python` is the interpreter, `packages` changes with what is installed for it. Of the environment's `variables`
    only digests are kept, which tell no secret.
    """

    size: Size
    directory: str
    python: str
    packages: str
    variables: dict[str, str]

    def to_document(self) -> dict[str, Any]:
        """As plain JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class State:
    """What the keeper has written: its process id, and what it offers."""

    keeper: int
    offer: Offer

    def to_json(self) -> str:
        """The state file's text."""
        return json.dumps({"keeper": self.keeper, "offer": self.offer.to_document()})


def offer_of(size: Size, directory: str, python: str, packages: str, environment: Mapping[str, str]) -> Offer:
    """What a cluster of this size gets from a process with that working directory and environment."""
    variables = {
        name: hashlib.sha256(value.encode(errors="surrogateescape")).hexdigest()[:16]
        for name, value in environment.items()
        if name not in _OF_TERMINALS and not name.startswith(_OF_TERMINALS_PREFIXES)
    }
    return Offer(size, directory, python, packages, variables)


def read_offer(found: Mapping[str, Any]) -> Offer:
    """The inverse of `to_document`. Raises KeyError, TypeError or ValueError where it is not one."""
    return Offer(**{**found, "size": read_size(found["size"])})


def read_size(found: Mapping[str, Any]) -> Size:
    """The size in a document. Raises like `read_offer`."""
    return Size(**{**found, "gpus": tuple(found["gpus"])})


def read_state(text: str) -> State | None:
    """The state in a file's text; None where another version has written it, or half of it."""
    try:
        found = json.loads(text)
        return State(keeper=int(found["keeper"]), offer=read_offer(found["offer"]))
    except (KeyError, TypeError, ValueError):
        return None


def difference(kept: Offer, wanted: Offer) -> str | None:
    """Why a run that wants one cannot use the other, as the end of a sentence; None where it can."""
    if _without_store(kept.size) != _without_store(wanted.size):
        return f"it has {_nodes(kept.size)}, and this run gets {_nodes(wanted.size)}"
    if kept.python != wanted.python:
        return f"it runs with {kept.python}, and this run with {wanted.python}"
    if kept.packages != wanted.packages:
        return "installed packages have changed since it was started"
    if kept.directory != wanted.directory:
        return f"it was started in {kept.directory}, and this run in {wanted.directory}"
    names = kept.variables.keys() | wanted.variables.keys()
    differing = sorted(name for name in names if kept.variables.get(name) != wanted.variables.get(name))
    if differing:
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        return f"other values in the environment: {', '.join(differing[:_SHOWN])}{more}"
    return None


def _without_store(size: Size) -> Size:
    """Object stores are cut to the memory that is free when they are made, which no run depends on."""
    return dataclasses.replace(size, object_store_bytes=0)


def _nodes(size: Size) -> str:
    gpus = f" and GPUs {', '.join(size.gpus)}" if size.gpus else ""
    return (
        f"{plural(size.trainers, 'trainer')} with {size.cpus_per_trainer} CPU on "
        f"{plural(size.trainer_nodes, 'node')}{gpus}, {plural(size.data_cpus, 'CPU')} for data on "
        f"{plural(size.data_nodes, 'node')}"
    )
