"""Paths of fields as text (`spec.env[2].name`), and back.

Kept apart because code that reports a problem writes paths, and code that points at a line of a file reads them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

MAX_KEY_LENGTH = 64

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
_STEP = re.compile(r'\.?([A-Za-z_$][A-Za-z0-9_$-]*)|\[([0-9]+)\]|\[("(?:[^"\\]|\\.)*")\]')


def join_path(steps: Iterable[str | int]) -> str:
    """The steps from the top as text. A key that is no word is quoted: `limits["nvidia.com/gpu"]`."""
    path = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _PLAIN.fullmatch(step) and len(step) <= MAX_KEY_LENGTH:
            path += f".{step}" if path else step
        else:
            shown = step if len(step) <= MAX_KEY_LENGTH else step[:MAX_KEY_LENGTH] + "…"
            path += f"[{json.dumps(shown)}]"
    return path


def split_path(path: str) -> tuple[str | int, ...]:
    """The steps of a path that `join_path` wrote. A key that it shortened stays shortened."""
    steps: list[str | int] = []
    for word, index, quoted in _STEP.findall(path):
        steps.append(int(index) if index else json.loads(quoted) if quoted else word)
    return tuple(steps)


def nested_path(parent: str, child: str) -> str:
    """The path of `child`, which is relative to `parent`; either may be empty."""
    return parent + child if not parent or not child or child.startswith("[") else f"{parent}.{child}"
