"""Runs pipelines side by side, each in its process, and lets them take turns so that noise hits all alike."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import environment


@dataclass(frozen=True)
class Entry:
    """A pipeline that takes part: which one (see pipelines.__main__), reading what, and how many rows that has."""

    pipeline: str
    path: Path
    rows: int
    arrays: Path


class _Process:
    def __init__(self, entry: Entry, log: Path):
        self._entry = entry
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.pipelines", entry.pipeline, str(entry.path), str(entry.rows)],
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def ask(self, order: str) -> dict[str, Any]:
        """Have it do something. Raises RuntimeError with its last words when it has died."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(order + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise RuntimeError(f"the pipeline {self._entry.pipeline} has died:\n{self._log.read_text()[-3000:]}")
        return json.loads(line)

    def close(self) -> None:
        """End of input is its sign to end."""
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def take_turns(entries: dict[str, Entry], rounds: int, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The epochs of each entry. An epoch that only compares comes first, which also warms everything up."""
    with contextlib.ExitStack() as stack:
        processes = {}
        for name, entry in entries.items():
            process = _Process(entry, folder / f"{name}.log")
            stack.callback(process.close)
            process.ask(f"check {entry.arrays}")
            processes[name] = process
        epochs: dict[str, list[dict[str, Any]]] = {name: [] for name in entries}
        for _ in range(rounds):
            for name, process in processes.items():
                epochs[name].append(process.ask("epoch"))
    return epochs


def rates(epochs: dict[str, list[dict[str, Any]]], entries: dict[str, Entry]) -> dict[str, list[float]]:
    """Rows per second of each entry, round by round."""
    return {name: [entries[name].rows / epoch["seconds"] for epoch in each] for name, each in epochs.items()}


def ratios(rates_of: dict[str, list[float]], ours: str, baseline: str) -> list[float]:
    """How many times as fast `ours` was as `baseline`, round by round."""
    return [mine / other for mine, other in zip(rates_of[ours], rates_of[baseline], strict=True)]
