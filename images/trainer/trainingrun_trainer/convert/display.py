"""The progress of a conversion on stderr: a bar on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def progress_display() -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function to call with the rows written, and with the rows in total if they are known."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    columns = (
        TextColumn("Converting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("convert", total=None)

        def show(rows: int, total: int | None) -> None:
            progress.update(task, completed=rows, total=total)

        yield show


class _Lines:
    def __init__(self) -> None:
        self._printed = time.monotonic()

    def __call__(self, rows: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._printed < SECONDS_BETWEEN_LINES:
            return
        self._printed = now
        of_total = f" of {total:,}" if total is not None else ""
        print(f"{rows:,}{of_total} rows", file=sys.stderr, flush=True)
