"""What paths and addresses hold: a file, each file of a folder, what an address answers, or standard input.

The only part of this package that reads files. It must not look into what it reads.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trainingrun.spec.located import LocatedProblem

STANDARD_INPUT = "-"
MAX_BYTES = 1 << 20
# What kubectl takes of a folder.
_SUFFIXES = (".yaml", ".yml", ".json")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_WEB = ("http://", "https://")
_WEB_SECONDS = 30.0


class Text(NamedTuple):
    """What a file holds, or one byte more than is allowed. `source` is what problems call it."""

    source: str
    data: bytes


def texts_of(path: str) -> Iterator[Text | LocatedProblem]:
    """What is at a path or an address, and what keeps it from being read. Never raises."""
    try:
        if path == STANDARD_INPUT or path.startswith(_WEB) or not Path(path).is_dir():
            yield _text_of(path)
            return
        files = sorted(file for file in Path(path).iterdir() if file.suffix in _SUFFIXES and file.is_file())
    except (OSError, ValueError) as error:
        yield _unreadable(path, error)
        return
    if any((Path(path) / name).exists() for name in _KUSTOMIZATIONS):
        allowed = f"plain files; give it what `kubectl kustomize {path}` prints, with -f -"
        yield LocatedProblem("", "a kustomization", allowed, path)
        return
    if not files:
        found = f"a folder without files that end in {', '.join(_SUFFIXES)}"
        yield LocatedProblem("", found, "a folder with such files", path)
    for file in files:
        yield _text_of(str(file))


def shown(path: str) -> str:
    """What problems call it."""
    return "<stdin>" if path == STANDARD_INPUT else path


def _text_of(path: str) -> Text | LocatedProblem:
    try:
        return Text(shown(path), _bytes_of(path))
    except (OSError, ValueError) as error:
        return _unreadable(path, error)


def _bytes_of(path: str) -> bytes:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    if path.startswith(_WEB):
        from urllib.request import urlopen

        with urlopen(path, timeout=_WEB_SECONDS) as answer:  # noqa: S310 - no other scheme gets here
            return bytes(answer.read(MAX_BYTES + 1))
    with Path(path).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _unreadable(path: str, error: OSError | ValueError) -> LocatedProblem:
    if path.startswith(_WEB):
        return LocatedProblem("", str(error), "an address to read from", path)
    found = getattr(error, "strerror", None) or "a path that cannot be opened"
    return LocatedProblem("", found[:1].lower() + found[1:], "a file or folder to read, or - for standard input", path)
