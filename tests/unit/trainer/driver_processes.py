"""Drivers as processes of their own, each forked from one that has imported Ray and torch already: that takes seconds.

A driver is `python -m trainingrun_trainer` in all but its imports: it ends with the code and the output of the module.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [f"trainingrun_trainer.driver.{module}" for module in ("entrypoint", "launch", "plan", "torch_trainer")]
)


def driver(*arguments: str) -> None:
    """What `python -m trainingrun_trainer` does with these arguments."""
    sys.argv[1:] = arguments
    runpy.run_module("trainingrun_trainer", run_name="__main__", alter_sys=True)


def ended(place: Path, run: Callable[..., None], *arguments: str) -> tuple[int | None, str]:
    """The exit code of a process that runs this, and what it printed; `place` is a folder for that."""
    output = place / "output.txt"
    process = _FORKS.Process(target=_printing_to, args=(output, run, *arguments))
    process.start()
    process.join(120)
    return process.exitcode, output.read_text()


def _printing_to(output: Path, run: Callable[..., None], *arguments: str) -> None:
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), sys.stdout.fileno())
    run(*arguments)
