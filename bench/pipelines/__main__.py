"""`python -m bench.pipelines NAME PATH ROWS`: holds one pipeline ready and runs an epoch for each line it reads."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

# What each baseline may use: the two CPUs that our data path and its consumer have together.
_CPUS = 2


def _open(name: str, path: Path, rows: int) -> Any:
    if name == "seed":
        from bench.pipelines.seed import Seed

        return Seed(path, rows, _CPUS)
    if name == "loader":
        from bench.pipelines.loader import Loader

        return Loader(path, rows, _CPUS)
    from bench.pipelines.ours import Ours

    return Ours(path, rows, row_transform=name == "ours-row")


def main() -> None:
    """Answer `check FOLDER` and `epoch` with a JSON line each, until the end of input."""
    # Answers get the standard output to themselves; whatever libraries print goes where errors go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    name, path, rows = sys.argv[1:]
    pipeline = _open(name, Path(path), int(rows))
    try:
        for line in sys.stdin:
            order, _, folder = line.strip().partition(" ")
            answer = pipeline.check(Path(folder)) if order == "check" else pipeline.epoch()
            print(json.dumps(answer), file=answers, flush=True)
    finally:
        pipeline.close()


if __name__ == "__main__":
    main()
