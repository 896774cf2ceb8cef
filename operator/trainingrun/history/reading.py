"""Reads a run's progress records from its folder, and says in one sentence when there are none.

It must not write, and a torn line (a writer that was killed) must not hide the lines around it.
"""

from __future__ import annotations

import re
from pathlib import Path

from trainingrun.contract.records import LOG_DIRECTORY, Record, parse_line

_ATTEMPT_FILE = re.compile(r"attempt-(\d+)\.jsonl")


class NoRecords(ValueError):
    """The folder holds no progress record that can be read."""


def read_records(directory: Path) -> list[Record]:
    """Every record under `directory`, attempt by attempt in the order of writing.

    Raises NoRecords when there is none.
    """
    logs = directory / LOG_DIRECTORY
    records = [record for path in _attempt_files(logs) for record in _records_in(path)]
    if not records:
        raise NoRecords(
            f"{directory}: found no progress records, expected at least one record in "
            f"{logs / 'attempt-0000.jsonl'}; {_instead(directory)}"
        )
    return records


def _instead(directory: Path) -> str:
    """What to name instead: runs have folders of their own in a storage that several may share."""
    try:
        runs = sorted(path for path in directory.iterdir() if _attempt_files(path / LOG_DIRECTORY))
    except OSError:
        runs = []
    if not runs:
        return "name a run's own folder, which is in its storage"
    return f"name the run's own folder: {' or '.join(map(str, runs[:3]))}{' or another' if runs[3:] else ''}"


def _attempt_files(logs: Path) -> list[Path]:
    if not logs.is_dir():
        return []
    numbered = [(match, path) for path in logs.iterdir() if (match := _ATTEMPT_FILE.fullmatch(path.name))]
    return [path for match, path in sorted(numbered, key=lambda item: int(item[0][1]))]


def _records_in(path: Path) -> list[Record]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        return [record for line in lines if (record := parse_line(line)) is not None]
