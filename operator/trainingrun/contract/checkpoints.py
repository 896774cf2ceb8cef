"""The names in a run's folder: of checkpoints, of the best one's copy, and of the files that say what these hold.

The trainer writes them, and commands find them by these names without reading what is in a checkpoint.
"""

from __future__ import annotations

import re

BEST = "best"
# A checkpoint's files with their sizes and digests; without it, a checkpoint is not whole.
MANIFEST = "manifest.json"
# Of which checkpoint the best one's copy is, with its metrics.
BEST_METRICS = "metrics.json"

CHECKPOINT = re.compile(r"^step-(\d{8,})-(?=\w)(?:e(\d+))?(?:a(\d+)g(\d+))?\w*$")


def step_of(name: str) -> int | None:
    """The optimizer step at which the checkpoint of this name was saved; None for any other name."""
    match = CHECKPOINT.match(name)
    return int(match[1]) if match else None


def in_order(names: list[str]) -> list[str]:
    """Those of `names` that are checkpoints: most steps first, then the latest epoch and writer."""
    found = [(match, name) for name in names if (match := CHECKPOINT.match(name))]
    return [name for _, name in sorted(((_progress(match), name) for match, name in found), reverse=True)]


def _progress(match: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(number) if number else -1 for number in match.groups())
