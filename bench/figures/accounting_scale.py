"""What it takes to know which rows of a large dataset were used: a billion rows in 100,000 files, half of them trained.

Nothing is read: a listing is made up, and its rows are marked as an epoch does, whole groups and then some windows of
three groups that ranks still work on. Each size has a process of its own, whose resident memory counts at its peak.
"""

from __future__ import annotations

import json
import pickle
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

from bench.result import Measure, Result
from bench.workspace import Workspace
from trainingrun_trainer.data.consumed import HAND_OVER_ROWS, Consumed, Piece, row_ids
from trainingrun_trainer.data.mixing import bundles_of, groups_of, mixing_of
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import Bundle

_ROW_BYTES = 800
_HALF_READ_GROUPS = 3
_STEP_ROWS = 1024
_EPOCH = Epoch(1, 5, shuffle=True)
# Files and rows of a file: a billion rows, a tenth in as many files, and a tenth in a tenth of the files.
_SIZES = {"large": (100_000, 10_000), "short": (100_000, 1_000), "few": (10_000, 10_000)}


def measure(rounds: int, workspace: Workspace) -> Result:
    """All three sizes in each round."""
    divisor = 100 if workspace.is_quick else 1
    raw = [{name: _child(files // divisor, rows) for name, (files, rows) in _SIZES.items()} for _ in range(rounds)]
    large = [found["large"] for found in raw]

    def growth(of: str) -> list[float]:
        return [found["large"]["resident_mib"] / found[of]["resident_mib"] for found in raw]

    measures = [
        Measure("accounting_begin", "a billion rows: begin an epoch", "s", [one["begin"] for one in large]),
        Measure("accounting_resume", "a billion rows: begin half an epoch", "s", [one["resume"] for one in large]),
        Measure("accounting_mark", "a billion rows: mark a step's rows", "ms", [one["mark"] * 1e3 for one in large]),
        Measure(
            "accounting_checkpoint", "a billion rows: a checkpoint's account", "kB", _kb(large, "checkpoint_bytes")
        ),
        Measure("accounting_task", "a billion rows: account of a read task", "kB", _kb(large, "task_bytes")),
        Measure("accounting_rank", "account of one of two ranks, in memory", "kB", _kb(large, "rank_bytes")),
        Measure("accounting_rows_growth", "memory: ten times the rows in as many files", "x", growth("short")),
        Measure("accounting_files_growth", "memory: ten times the rows and files", "x", growth("few")),
    ]
    return Result("accounting_scale", measures, {"rounds": raw})


def _kb(large: list[dict[str, Any]], name: str) -> list[float]:
    return [one[name] / 1e3 for one in large]


def _child(files: int, rows: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.figures.accounting_scale", str(files), str(rows)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def _account(files: int, rows: int) -> dict[str, float]:
    """One size, in this process."""
    name = "s3://bucket/datasets/some-name/train/part-{:06d}.parquet"
    pieces = [Piece(i, (name.format(i),), rows * _ROW_BYTES, rows=rows, row_group=0) for i in range(files)]
    began = time.perf_counter()
    bundles = bundles_of(pieces)
    mixing = mixing_of(bundles, shuffle=True, row_bytes=_ROW_BYTES)
    groups = groups_of(bundles, _EPOCH, Consumed(), mixing)
    begin = time.perf_counter() - began
    consumed, mark = _half_used(groups)
    written = consumed.to_bytes()
    began = time.perf_counter()
    again = Consumed.from_bytes(written)
    left = groups_of(bundles, _EPOCH, again, mixing)
    tasks = [again.of(bundle.pieces) for group in left for bundle in group]
    resume = time.perf_counter() - began
    return {
        "begin": begin,
        "resume": resume,
        "mark": mark,
        "checkpoint_bytes": len(written),
        "task_bytes": max(len(pickle.dumps(task)) for task in tasks),
        "rank_bytes": _rank_bytes(groups),
        "resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _half_used(groups: list[tuple[Bundle, ...]]) -> tuple[Consumed, float]:
    """The account in the middle of an epoch, and the seconds of marking a step's rows."""
    consumed = Consumed()
    half = len(groups) // 2
    for group in groups[:half]:
        for bundle in group:
            for piece in bundle.pieces:
                consumed.add(row_ids(piece, 0, piece.rows or 0))
    seconds = []
    for group in groups[half : half + _HALF_READ_GROUPS]:
        ids = _shuffled(group)
        for first in range(0, len(ids) // 2, _STEP_ROWS):
            began = time.perf_counter()
            consumed.add(ids[first : first + _STEP_ROWS])
            seconds.append(time.perf_counter() - began)
    return consumed, float(np.median(seconds))


def _rank_bytes(groups: list[tuple[Bundle, ...]]) -> int:
    """Bytes of the account of a rank of two that has not handed over its marks for as long as it may."""
    consumed, seen = Consumed(), 0
    for group in groups:
        ids = _shuffled(group)
        consumed.add(ids[: len(ids) // 2])
        seen += len(ids)
        if seen >= HAND_OVER_ROWS:
            break
    return sum(mask.nbytes for mask in consumed._masks.values())


def _shuffled(group: tuple[Bundle, ...]) -> np.ndarray:
    ids = np.concatenate([row_ids(piece, 0, piece.rows or 0) for bundle in group for piece in bundle.pieces])
    return np.random.default_rng(0).permutation(ids)


if __name__ == "__main__":
    print(json.dumps(_account(int(sys.argv[1]), int(sys.argv[2]))))
